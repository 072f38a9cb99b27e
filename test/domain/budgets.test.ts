import fc from 'fast-check';
import { type Amounts, type Budget, type BudgetCounter, budgetUnits, type Ending, type Reservation } from '../../src/contracts/budget';
import { withSetting } from '../../src/cli/commands/tenant-budgets';
import { builtInPrices } from '../../src/contracts/prices';
import * as budgets from '../../src/domain/budgets';
import { costMicroUsdOf, priceOf } from '../../src/domain/prices';

describe('prices', () => {
  const price = { inputMicroUsdPerMillion: 3_000_000, outputMicroUsdPerMillion: 15_000_000 };

  it('are those of the longest name that fits', () => {
    const prices = { '*': { ...price, inputMicroUsdPerMillion: 1 }, 'a.*': { ...price, inputMicroUsdPerMillion: 2 }, 'a.b': { ...price, inputMicroUsdPerMillion: 3 } };
    expect(['x', 'a.c', 'a.b'].map((model) => priceOf(prices, model)?.inputMicroUsdPerMillion)).toEqual([1, 2, 3]);
    expect(priceOf({ 'a.b': price }, 'a.bc')).toBeUndefined();
    // An inference profile: what was said of it, then of its model, then of all.
    const profiles = { '*': { ...price, inputMicroUsdPerMillion: 1 }, 'a.b*': { ...price, inputMicroUsdPerMillion: 2 }, 'eu.*': { ...price, inputMicroUsdPerMillion: 3 } };
    expect(['us.a.b-1', 'eu.a.b-1', 'us.x'].map((model) => priceOf(profiles, model)?.inputMicroUsdPerMillion)).toEqual([2, 3, 1]);
    expect(priceOf(builtInPrices, 'anthropic.claude-3-5-sonnet-20241022-v2:0')).toBeDefined();
  });

  it('are rounded up, and what is kept has prices of its own', () => {
    expect(costMicroUsdOf(price, { inputTokens: 1_000, outputTokens: 10 })).toBe(3_150);
    expect(costMicroUsdOf({ ...price, inputMicroUsdPerMillion: 1 }, { inputTokens: 1, outputTokens: 0 })).toBe(1);
    const cached = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 100, cacheWriteTokens: 10 };
    expect(costMicroUsdOf(price, cached)).toBe(330);
    expect(costMicroUsdOf({ ...price, cacheReadMicroUsdPerMillion: 300_000, cacheWriteMicroUsdPerMillion: 3_750_000 }, cached)).toBe(68);
  });
});

describe('budgets in force', () => {
  it("are the operator's in place of the tier's, and what others set only when it is less", () => {
    const { limits, onExhausted } = budgets.budgetsInForce({
      tier: { session: { tokens: 100 }, tenantDay: { microUsd: 5 } },
      operator: { session: { tokens: 1_000 }, onExhausted: 'end' },
      own: { session: { tokens: 2_000, modelCalls: 7 }, tenantDay: { microUsd: 9 } },
      agent: { tenantDay: { microUsd: 3 }, userDay: {} },
    });
    expect(limits).toEqual({ session: { tokens: 1_000, modelCalls: 7 }, tenantDay: { microUsd: 3 } });
    expect(onExhausted).toBe('end');
    expect(budgets.budgetsInForce({ tier: { session: { tokens: 100, modelCalls: 7 } }, operator: { session: { tokens: 1_000 } } }).limits).toEqual({ session: { tokens: 1_000, modelCalls: 7 } });
    expect(budgets.hasLimit(budgets.budgetsInForce({ own: { onExhausted: 'end', session: {} } }))).toBe(false);
  });

  it('say what happens at a limit, the agent before the administrator, the operator and the tier', () => {
    const [tier, operator, own, agent] = [40, 30, 20, 10].map((longestPauseSeconds) => ({ longestPauseSeconds }));
    const pauses = [{ tier, operator, own, agent }, { tier, operator, own }, { tier, operator }, { tier }, {}].map((sources) => budgets.budgetsInForce(sources).longestPauseMs);
    expect(pauses).toEqual([10_000, 20_000, 30_000, 40_000, 31 * 86_400_000]);
    expect(budgets.budgetsInForce({}).onExhausted).toBe('pause');
  });

  it('begin anew with the day or the month', () => {
    const lastSecond = Date.parse('2026-12-31T23:59:59Z');
    expect(budgets.renewalOf('tenantDay', lastSecond)).toBe('2027-01-01T00:00:00.000Z');
    expect(budgets.renewalOf('tenantMonth', Date.parse('2026-11-24T12:00:00Z'))).toBe('2026-12-01T00:00:00.000Z');
    expect(budgets.renewalOf('session', lastSecond)).toBeUndefined();
  });
});

it('are set one by one on the command line', () => {
  const set = ['tenantDay.tokens=5', 'session.microUsd=7', 'tenantDay.tokens=none', 'onExhausted=end'].reduce(withSetting, {});
  expect(set).toEqual({ tenantDay: {}, session: { microUsd: 7 }, onExhausted: 'end' });
  for (const wrong of ['session.tokens=-1', 'week.tokens=5', 'session.euro=5', 'onExhausted=never', 'session']) expect(() => withSetting({}, wrong)).toThrow();
});

describe('what a step takes of a budget', () => {
  const price = { inputMicroUsdPerMillion: 1_000_000, outputMicroUsdPerMillion: 2_000_000, cacheReadMicroUsdPerMillion: 100_000, cacheWriteMicroUsdPerMillion: 4_000_000 };
  const attached = { mostTokens: 300, likelyTokens: 40 };

  it('is all that was read and written, and what that costs', () => {
    expect(budgets.amountsOf({ inputTokens: 1_000, outputTokens: 200, cacheReadTokens: 30, cacheWriteTokens: 4 }, price)).toEqual({ microUsd: 1_419, tokens: 1_234, modelCalls: 1 });
    expect(budgets.amountsOf({ inputTokens: 1_000, outputTokens: 200 }, undefined)).toEqual({ microUsd: 0, tokens: 1_200, modelCalls: 1 });
  });

  it('is at most its text, what is attached as far as the model can read it, and the longest answer, all at the dearest price', () => {
    const size = { bytes: 5_000, characters: 5_000, attached };
    expect(budgets.worstCase(size, 100, price)).toEqual({ microUsd: 4 * (5_000 + 1_000 + 300) + 2 * 100, tokens: 6_400, modelCalls: 1 });
    expect(budgets.worstCase(size, 100, undefined, 200)).toEqual({ microUsd: 0, tokens: 6_300, modelCalls: 1 });
  });

  it('is guessed where an answer broke off', () => {
    expect(budgets.guessedUsage({ bytes: 0, characters: 9, attached }, '12345')).toEqual({ inputTokens: 3 + 40, outputTokens: 2 });
  });

  it('must have a price where dollars are limited', () => {
    const limitsDollars = (own: Budget) => budgets.limitsDollars(budgets.budgetsInForce({ own: { tenantDay: own, session: { tokens: 5 } } }));
    expect([{ microUsd: 5 }, { tokens: 5 }].map(limitsDollars)).toEqual([true, false]);
  });
});

it('the worst case is never less than what an answer within its limits costs', () => {
  const price = { inputMicroUsdPerMillion: 3_000_000, outputMicroUsdPerMillion: 15_000_000, cacheReadMicroUsdPerMillion: 300_000, cacheWriteMicroUsdPerMillion: 3_750_000 };
  fc.assert(
    // Long texts, too: beside short ones what a server adds of its own would hide a mistake.
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.nat(10_000), fc.nat(500), fc.double({ min: 0, max: 1, noNaN: true }), (text, times, maxOutputTokens, part) => {
      const size = { bytes: Buffer.byteLength(text) * times, characters: text.length * times, attached: { mostTokens: maxOutputTokens, likelyTokens: Math.floor(part * maxOutputTokens) } };
      const read = Math.floor(part * size.bytes);
      const usage = { inputTokens: size.bytes - read, cacheWriteTokens: read, outputTokens: Math.floor(part * maxOutputTokens) };
      const [worst, real] = [budgets.worstCase(size, maxOutputTokens, price), budgets.amountsOf(usage, price)];
      expect(budgetUnits.filter((unit) => worst[unit] < real[unit])).toEqual([]);
      const guess = budgets.amountsOf(budgets.guessedUsage(size, 'x'.repeat(maxOutputTokens)), price);
      expect(budgetUnits.filter((unit) => worst[unit] < guess[unit])).toEqual([]);
    }),
  );
});

describe('the ledger, whatever comes in whatever order', () => {
  const counters = ['session-a', 'session-b', 'day'] as const;
  const countersOf = (session: number) => [counters[session % 2] ?? 'session-a', 'day'];
  const amounts = (most: number) => fc.record({ microUsd: fc.nat(most), tokens: fc.nat(most), modelCalls: fc.constant(1) });
  const limits = fc.record({ session: fc.record({ tokens: fc.nat(300) }), day: fc.record({ microUsd: fc.nat(500), tokens: fc.nat(500), modelCalls: fc.nat(8) }) });
  const moves = fc.array(
    fc.oneof(
      fc.record({ do: fc.constant('reserve' as const), step: fc.nat(5), amounts: amounts(100) }),
      fc.record({ do: fc.constantFrom('settled' as const, 'wasted' as const, 'nothing' as const), step: fc.nat(5), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
      // The worker is gone, and what it held stays: the next attempt, or the end of the turn, finds it.
      fc.record({ do: fc.constantFrom('die' as const, 'sweep' as const), step: fc.nat(5) }),
    ),
    { maxLength: 60 },
  );

  it('reserves nothing below zero, passes no limit, counts each attempt once and loses none', () => {
    fc.assert(
      fc.property(limits, moves, ({ session, day }, all) => {
        const limitOf = (name: string): Budget => (name === 'day' ? day : session);
        let ledger: Record<string, BudgetCounter> = Object.fromEntries(counters.map((name) => [name, budgets.emptyCounter]));
        const apply = (postings: budgets.Postings) =>
          (ledger = { ...ledger, ...Object.fromEntries(Object.entries(postings).map(([name, posting]) => [name, budgets.post(ledger[name] ?? budgets.emptyCounter, posting)])) });
        const held = new Map<number, Reservation>();
        let attempts = 0;
        let spent: Amounts = budgets.noAmounts;
        const end = (step: number, ending: Ending, cost: Amounts) => {
          const reservation = held.get(step);
          if (!reservation) return;
          held.delete(step);
          spent = budgets.plus(spent, cost);
          apply(budgets.closing(reservation, ending));
        };
        for (const move of all) {
          const reservation = held.get(move.step);
          if (move.do === 'reserve') {
            const next = { holder: String(attempts), amounts: move.amounts, counters: countersOf(move.step) };
            const postings = budgets.reserving(next, reservation);
            if (Object.entries(postings).some(([name, posting]) => budgets.missingUnit(ledger[name] ?? budgets.emptyCounter, posting, limitOf(name)))) continue;
            attempts += 1;
            if (reservation) spent = budgets.plus(spent, reservation.amounts);
            held.set(move.step, next);
            apply(postings);
          } else if (move.do === 'sweep' && reservation) end(move.step, { lost: reservation.amounts }, reservation.amounts);
          else if (reservation && 'part' in move) {
            const cost = { microUsd: Math.floor(move.part * reservation.amounts.microUsd), tokens: Math.floor(move.part * reservation.amounts.tokens), modelCalls: 1 };
            if (move.do === 'nothing') end(move.step, {}, budgets.noAmounts);
            else end(move.step, { [move.do]: cost }, cost);
          }
          expectSound(ledger, held, limitOf);
        }
        // Conservation: the day's counter holds all that was spent, and what the open attempts may still.
        const open = [...held.values()].reduce((sum, { amounts: one }) => budgets.plus(sum, one), budgets.noAmounts);
        expect(ledger['day']?.reserved).toEqual(open);
        expect(budgets.committed(ledger['day'] ?? {})).toEqual(budgets.plus(spent, open));
        const sessions = ['session-a', 'session-b'].map((name) => budgets.committed(ledger[name] ?? {}));
        expect(sessions.reduce(budgets.plus, budgets.noAmounts)).toEqual(budgets.committed(ledger['day'] ?? {}));
      }),
      { numRuns: 500 },
    );
  });

  function expectSound(ledger: Record<string, BudgetCounter>, held: ReadonlyMap<number, Reservation>, limitOf: (name: string) => Budget): void {
    for (const [name, counter] of Object.entries(ledger)) {
      for (const column of budgets.columns) expect(budgetUnits.filter((unit) => counter[column][unit] < 0)).toEqual([]);
      const limit = limitOf(name);
      expect(budgetUnits.filter((unit) => limit[unit] !== undefined && budgets.committed(counter)[unit] > limit[unit])).toEqual([]);
    }
    expect(ledger['day']?.reserved.modelCalls).toBe(held.size);
  }
});
