import fc from 'fast-check';
import type { EventBody, SessionEvent } from '../../src/contracts/events';
import type { ModelMessage } from '../../src/contracts/model';
import { planAfterOverflow, planBeforeStep, type Reading, requestWithin, textToSummarise, tokensOf } from '../../src/domain/compaction';
import { type Summary, toModelMessages } from '../../src/domain/transcript';

const logged = (...bodies: EventBody[]): SessionEvent[] => bodies.map((body, index) => ({ seq: index + 1, at: '2026-01-01T00:00:00.000Z', ...body }));
const reading = (events: readonly SessionEvent[], rest: Partial<Reading> = {}): Reading => ({ events, opening: [], fixedCharacters: 0, ...rest });
const asked = (turnId: string, text: string): EventBody => ({ type: 'turn.started', turnId, text });
const stepped = (turnId: string, step: number): EventBody => ({ type: 'step.started', turnId, step });
const said = (turnId: string, step: number, text: string): EventBody => ({ type: 'message.completed', turnId, step, text, stopReason: 'end_turn' });
const ended = (turnId: string): EventBody => ({ type: 'turn.completed', turnId, outcome: 'completed' });
const wanted = (turnId: string, step: number, callId: string): EventBody => ({ type: 'tool.requested', turnId, step, callId, tool: 'calculator', input: { expression: '1+1' } });
const got = (turnId: string, step: number, callId: string, output: string): EventBody => ({ type: 'tool.completed', turnId, step, callId, tool: 'calculator', output });
const used = (turnId: string, step: number, inputTokens: number): EventBody => ({ type: 'usage.recorded', turnId, step, modelId: 'm', usage: { inputTokens, outputTokens: 10 } });
const turn = (turnId: string, characters: number): EventBody[] => [asked(turnId, 'q'.repeat(characters / 2)), stepped(turnId, 1), said(turnId, 1, 'a'.repeat(characters / 2)), ended(turnId)];
const summaryOf = (upTo: number, rest: Partial<Summary> = {}): Summary => ({ type: 'history.compacted', turnId: 't1', step: 1, upTo, summary: 'They like blue.', ...rest });
const context = { tokens: 1_000, compactAt: 0.8 };

describe('when', () => {
  it('a conversation is within its share, nothing is summarised; one word more, and its older turns are', () => {
    const events = logged(...turn('t1', 1_000), ...turn('t2', 1_000));
    expect(planBeforeStep(reading(events), context)).toBeUndefined();
    expect(planBeforeStep(reading(events, { opening: [asked('t3', 'x'.repeat(500))] }), context)).toEqual({ upTo: 8, maxCharacters: 1_500 });
  });

  it('the model has counted, its count is what holds, with what has come since', () => {
    expect(tokensOf(reading(logged(...turn('t1', 30_000), used('t1', 1, 100))))).toBe(110);
    expect(tokensOf(reading(logged(...turn('t1', 30_000), used('t1', 1, 100)), { opening: [asked('t2', 'x'.repeat(293))] }))).toBe(210);
  });

  it('the count is from before a summary, or of the summary itself, it says nothing', () => {
    const compaction: EventBody = { type: 'usage.recorded', turnId: 't2', step: 1, modelId: 'm', usage: { inputTokens: 9_000, outputTokens: 9 }, purpose: 'compaction' };
    expect(tokensOf(reading(logged(used('t1', 1, 9_000), summaryOf(1), compaction), { summary: summaryOf(1), fixedCharacters: 30 }))).toBe(15);
  });

  it('one message alone is too long, there is nothing to be gained', () => {
    expect(planBeforeStep(reading(logged(...turn('t1', 10)), { opening: [asked('t2', 'x'.repeat(9_000))] }), context)).toBeUndefined();
  });

  it('the model says that it is too much, part of what it was shown goes, whether its limit is known or not', () => {
    const events = logged(...turn('t1', 400), ...turn('t2', 400), ...turn('t3', 100));
    expect(planAfterOverflow(reading(events), undefined)?.upTo).toBe(8);
    expect(planAfterOverflow(reading(events), context)?.upTo).toBe(8);
  });
});

it('keeps as many whole turns as have room', () => {
  const events = logged(...turn('t1', 2_000), ...turn('t2', 200), ...turn('t3', 200), ...turn('t4', 200));
  expect(planBeforeStep(reading(events, { fixedCharacters: 100 }), context)?.upTo).toBe(4);
});

it('parts a turn between its steps when it is too long itself, and keeps what was asked word for word', () => {
  const events = logged(asked('t1', 'Add it all up.'), stepped('t1', 1), wanted('t1', 1, 'a'), got('t1', 1, 'a', 'x'.repeat(3_000)), stepped('t1', 2), wanted('t1', 2, 'b'), got('t1', 2, 'b', 'y'));
  const plan = planBeforeStep(reading(events), context);
  expect(plan?.upTo).toBe(4);
  const summary = summaryOf(4, requestWithin(undefined, events.slice(0, 4)));
  expect(summary).toMatchObject({ within: 't1', request: 'Add it all up.' });
  expect(toModelMessages(events.slice(4), summary)).toMatchObject([
    { role: 'user', content: [{ text: expect.stringContaining('They like blue.') as string }, { text: expect.stringContaining('Add it all up.') as string }] },
    { role: 'assistant', content: [{ toolUse: { callId: 'b' } }] },
    { role: 'user', content: [{ toolResult: { callId: 'b' } }] },
  ]);
  // The same turn once more: what was asked goes on from summary to summary, until the turn has ended.
  expect(requestWithin(summary, events.slice(4))).toEqual({ within: 't1', request: 'Add it all up.' });
  expect(requestWithin(summary, [ended('t1')])).toEqual({});
});

it('cuts long parts of what it summarises, leaves short ones whole, and never more than it may show', () => {
  const events = [asked('t1', 'short'), said('t1', 1, 'x'.repeat(5_000)), said('t1', 2, 'also short')];
  const text = textToSummarise(undefined, events, 1_000);
  expect(text.length).toBeLessThanOrEqual(1_000);
  expect(text).toMatch(/short[^]*xxx \[\.\.\.] xxx[^]*also short/);
});

const steps = fc.array(
  fc.record({ calls: fc.integer({ min: 0, max: 3 }), size: fc.integer({ min: 0, max: 2_000 }), unanswered: fc.boolean() }),
  { minLength: 1, maxLength: 5 },
);
const conversations = fc.array(fc.record({ steps, size: fc.integer({ min: 1, max: 2_000 }), ends: fc.boolean() }), { minLength: 1, maxLength: 8 }).map((turns) => {
  const bodies = turns.flatMap(({ steps: all, size, ends }, index): EventBody[] => {
    const turnId = `t${index}`;
    const inSteps = all.flatMap(({ calls, size: length, unanswered }, at): EventBody[] => {
      const ids = Array.from({ length: calls }, (_, call) => `c${call}`);
      const results = ids.flatMap((id, call) => (unanswered && call === 0 ? [] : [got(turnId, at + 1, id, 'r'.repeat(length))]));
      return [stepped(turnId, at + 1), said(turnId, at + 1, 's'.repeat(length)), ...ids.map((id) => wanted(turnId, at + 1, id)), ...results.reverse()];
    });
    return [asked(turnId, 'u'.repeat(size)), ...inSteps, ...(ends || index < turns.length - 1 ? [ended(turnId)] : [])];
  });
  return logged(...bodies);
});

/** As Bedrock checks it. */
function expectSound(messages: readonly ModelMessage[]): void {
  messages.forEach(({ role, content }, index) => {
    expect(role).toBe(index % 2 === 0 ? 'user' : 'assistant');
    const wantedBefore = messages[index - 1]?.content.flatMap((block) => ('toolUse' in block ? [block.toolUse.callId] : [])) ?? [];
    const given = content.flatMap((block) => ('toolResult' in block ? [block.toolResult.callId] : []));
    expect([...given].sort()).toEqual([...wantedBefore].sort());
  });
}

/** Whatever was said: nothing is lost between summary and rest, tool calls keep their results, and what is summarised twice is the same. */
it('parts any conversation soundly, again and again', () => {
  fc.assert(
    fc.property(conversations, fc.integer({ min: 1_000, max: 3_000 }), fc.boolean(), (events, tokens, isOverflow) => {
      let summary: Summary | undefined;
      let rest = events;
      for (let round = 0; round < 4; round += 1) {
        const now = reading(rest, { summary, opening: [] });
        const plan = isOverflow ? planAfterOverflow(now, undefined) : planBeforeStep(now, { tokens, compactAt: 0.5 });
        expect(isOverflow ? planAfterOverflow(now, undefined) : planBeforeStep(now, { tokens, compactAt: 0.5 })).toEqual(plan);
        if (!plan) break;
        const older = rest.filter(({ seq }) => seq <= plan.upTo);
        expect(older.length).toBeGreaterThan(0);
        expect(textToSummarise(summary, older, plan.maxCharacters).length).toBeLessThanOrEqual(plan.maxCharacters);
        summary = summaryOf(plan.upTo, requestWithin(summary, older));
        rest = rest.filter(({ seq }) => seq > plan.upTo);
        expectSound(toModelMessages(rest, summary));
        const under = events.findLast((event) => event.type === 'turn.started');
        // The request that is being worked on is there word for word, in the summary or behind it.
        if (under?.type === 'turn.started' && !events.some((event) => event.type === 'turn.completed' && event.turnId === under.turnId))
          expect(JSON.stringify(toModelMessages(rest, summary))).toContain(under.text);
      }
    }),
    { numRuns: 150 },
  );
});
