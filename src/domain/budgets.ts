import { type Amounts, type Budget, type BudgetCounter, type BudgetLevel, budgetLevels, type Budgets, type BudgetUnit, budgetUnits, type Ending, type OnExhausted, type Posting, type Reservation } from '../contracts/budget';
import type { Usage } from '../contracts/events';
import type { RequestSize } from '../contracts/model';
import type { ModelPrice } from '../contracts/prices';
import { costMicroUsdOf, dearestInput } from './prices';

/** Who sets budgets. What the operator sets takes the place of the tier's; what administrator and agent set can only be less. */
export interface BudgetSources {
  readonly tier?: Budgets | undefined;
  readonly operator?: Budgets | undefined;
  readonly own?: Budgets | undefined;
  readonly agent?: Budgets | undefined;
}

/** What holds for a step: levels that have a limit, and what happens at it. */
export interface BudgetsInForce {
  readonly limits: Readonly<Partial<Record<BudgetLevel, Budget>>>;
  readonly onExhausted: OnExhausted;
  readonly longestPauseMs: number;
}

/** So that a turn can wait for the next month. */
const usualPauseSeconds = 31 * 86_400;

export function budgetsInForce({ tier, operator, own, agent }: BudgetSources): BudgetsInForce {
  const limits = Object.fromEntries(
    budgetLevels.flatMap((level) => {
      const budget = lowest([{ ...tier?.[level], ...defined(operator?.[level]) }, own?.[level] ?? {}, agent?.[level] ?? {}]);
      return Object.keys(budget).length > 0 ? [[level, budget]] : [];
    }),
  );
  const chosen = <Name extends 'onExhausted' | 'longestPauseSeconds'>(name: Name) => agent?.[name] ?? own?.[name] ?? operator?.[name] ?? tier?.[name];
  return { limits, onExhausted: chosen('onExhausted') ?? 'pause', longestPauseMs: (chosen('longestPauseSeconds') ?? usualPauseSeconds) * 1_000 };
}

const defined = (budget: Budget | undefined): Budget => Object.fromEntries(Object.entries(budget ?? {}).filter(([, limit]) => limit !== undefined));

/** The least of each unit that any of them limits. */
export const lowest = (all: readonly Budget[]): Budget =>
  Object.fromEntries(
    budgetUnits.flatMap((unit) => {
      const given = all.flatMap((budget) => budget[unit] ?? []);
      return given.length > 0 ? [[unit, Math.min(...given)]] : [];
    }),
  );

export const hasLimit = ({ limits }: BudgetsInForce): boolean => Object.keys(limits).length > 0;

/** Whether dollars are limited anywhere: then a model must have a price. */
export const limitsDollars = ({ limits }: BudgetsInForce): boolean => budgetLevels.some((level) => limits[level]?.microUsd !== undefined);

/** What a model server adds of its own: it tells the model how to use tools. */
const hiddenTokens = 1_000;

/**
 * Bytes of text are certain to be no fewer than tokens: no tokenizer makes two tokens of one byte.
 * @param contextTokens - what the model can read: of images and documents it reads no more than that, either.
 */
export function worstCase({ bytes, attached }: RequestSize, maxOutputTokens: number, price: ModelPrice | undefined, contextTokens = Infinity): Amounts {
  const inputTokens = bytes + hiddenTokens;
  const attachedTokens = Math.min(attached.mostTokens, contextTokens);
  const dearest = price && { inputMicroUsdPerMillion: dearestInput(price), outputMicroUsdPerMillion: price.outputMicroUsdPerMillion };
  return amountsOf({ inputTokens: inputTokens + attachedTokens, outputTokens: maxOutputTokens }, dearest);
}

/** Of an answer that broke off the server says nothing: a token has about four characters. */
export const guessedUsage = ({ characters, attached }: RequestSize, written: string): Usage => ({ inputTokens: Math.ceil(characters / 4) + attached.likelyTokens, outputTokens: Math.ceil(written.length / 4) });

/** @param price - absent: it counts as nothing; where dollars are limited, no such model is asked. */
export const amountsOf = (usage: Usage, price: ModelPrice | undefined): Amounts => ({
  microUsd: price ? costMicroUsdOf(price, usage) : 0,
  tokens: usage.inputTokens + usage.outputTokens + (usage.cacheReadTokens ?? 0) + (usage.cacheWriteTokens ?? 0),
  modelCalls: 1,
});

/** When the next period of a level begins; undefined for one that has no periods. */
export function renewalOf(level: BudgetLevel, nowMs: number): string | undefined {
  const now = new Date(nowMs);
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  if (level === 'session') return undefined;
  return new Date(level === 'tenantMonth' ? Date.UTC(year, month + 1) : Date.UTC(year, month, day + 1)).toISOString();
}

export const noAmounts: Amounts = { microUsd: 0, tokens: 0, modelCalls: 0 };
export const emptyCounter: BudgetCounter = { reserved: noAmounts, settled: noAmounts, wasted: noAmounts, lost: noAmounts };

/** Columns of a counter. */
export type Column = keyof BudgetCounter;
export const columns = ['reserved', 'settled', 'wasted', 'lost'] as const satisfies readonly Column[];

const combine = (a: Amounts, b: Amounts, sign = 1): Amounts =>
  ({ microUsd: a.microUsd + sign * b.microUsd, tokens: a.tokens + sign * b.tokens, modelCalls: a.modelCalls + sign * b.modelCalls });

export const plus = (a: Amounts, b: Amounts): Amounts => combine(a, b);
const minus = (amounts: Amounts): Amounts => combine(noAmounts, amounts, -1);

/** Of everything that was reserved or spent: what a limit is held against. */
export const committed = (counter: Posting): Amounts => columns.reduce((sum, column) => plus(sum, counter[column] ?? noAmounts), noAmounts);

export const post = (counter: BudgetCounter, posting: Posting): BudgetCounter => ({
  reserved: plus(counter.reserved, posting.reserved ?? noAmounts),
  settled: plus(counter.settled, posting.settled ?? noAmounts),
  wasted: plus(counter.wasted, posting.wasted ?? noAmounts),
  lost: plus(counter.lost, posting.lost ?? noAmounts),
});

const join = (a: Posting, b: Posting): Posting =>
  Object.fromEntries(columns.flatMap((column) => (a[column] || b[column] ? [[column, plus(a[column] ?? noAmounts, b[column] ?? noAmounts)]] : [])));

/** Postings by counter. */
export type Postings = Readonly<Record<string, Posting>>;

/** An attempt takes over from one whose worker died: that one counts as lost, at the most it can have cost. */
export function reserving(next: Reservation, dead: Reservation | undefined): Postings {
  const added = onEach(next.counters, { reserved: next.amounts });
  if (!dead) return added;
  const closed = closing(dead, { lost: dead.amounts });
  const names = [...new Set([...Object.keys(closed), ...Object.keys(added)])];
  return Object.fromEntries(names.map((name) => [name, join(closed[name] ?? {}, added[name] ?? {})]));
}

export const closing = ({ amounts, counters }: Reservation, ending: Ending): Postings => onEach(counters, { reserved: minus(amounts), ...ending });

const onEach = (counters: readonly string[], posting: Posting): Postings => Object.fromEntries(counters.map((counter) => [counter, posting]));

/** What a counter may hold so that this still fits; undefined where no limit is. Negative: it fits in no case. */
export function roomFor(posting: Posting, limit: Budget): Partial<Record<BudgetUnit, number>> {
  const added = committed(posting);
  return Object.fromEntries(budgetUnits.flatMap((unit) => (limit[unit] === undefined ? [] : [[unit, limit[unit] - added[unit]]])));
}

/** The unit of which there is not enough left. */
export function missingUnit(counter: BudgetCounter, posting: Posting, limit: Budget): BudgetUnit | undefined {
  const [held, room] = [committed(counter), roomFor(posting, limit)];
  return budgetUnits.find((unit) => room[unit] !== undefined && held[unit] > room[unit]);
}
