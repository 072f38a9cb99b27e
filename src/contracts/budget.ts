import { z } from 'zod';

/** What a budget is of: a session's whole life, a user's day, the tenant's day, the tenant's month. Days and months are UTC's. */
export const budgetLevels = ['session', 'userDay', 'tenantDay', 'tenantMonth'] as const;
export type BudgetLevel = (typeof budgetLevels)[number];

/** What is counted: millionths of a US dollar, tokens of input and output together, calls of a model. */
export const budgetUnits = ['microUsd', 'tokens', 'modelCalls'] as const;
export type BudgetUnit = (typeof budgetUnits)[number];

/** Sums stay far from what a number can hold exactly. */
const Limit = z.number().int().min(0).max(1_000_000_000_000);

/** The most that may be spent; 0: nothing. What is absent has no limit. */
export const Budget = z.strictObject({ microUsd: Limit.optional(), tokens: Limit.optional(), modelCalls: Limit.optional() });
export type Budget = z.infer<typeof Budget>;

/** What becomes of a turn that meets a limit: it waits for more, or ends. */
export const OnExhausted = z.enum(['pause', 'end']);
export type OnExhausted = z.infer<typeof OnExhausted>;

/** As tier, operator, administrator and agent may each have them. */
export const Budgets = z.strictObject({
  session: Budget.optional(),
  userDay: Budget.optional(),
  tenantDay: Budget.optional(),
  tenantMonth: Budget.optional(),
  onExhausted: OnExhausted.optional(),
  /** How long a turn waits before it ends as `budget_exhausted`. */
  longestPauseSeconds: z.number().int().min(1).max(31 * 86_400).optional(),
});
export type Budgets = z.infer<typeof Budgets>;

/** What was reserved or spent. */
export type Amounts = Readonly<Record<BudgetUnit, number>>;

const NonNegative = z.number().int().min(0);
export const AmountsSchema = z.object({ microUsd: NonNegative, tokens: NonNegative, modelCalls: NonNegative });

/** What one counter of the ledger holds. All four together never pass its limit, unless that was lowered. */
export const BudgetCounter = z.object({
  /** For steps that are asked just now: the most they can cost. */
  reserved: AmountsSchema,
  /** For answers that came into a log: what the model server said they cost. */
  settled: AmountsSchema,
  /** For attempts that broke or were stopped: the model server does not say; about what was read and written. */
  wasted: AmountsSchema,
  /** For attempts that nobody saw the end of, as their worker died: the most they can have cost. */
  lost: AmountsSchema,
});
export type BudgetCounter = z.infer<typeof BudgetCounter>;

/** The limit a step would have passed. */
export interface ExhaustedBudget {
  readonly level: BudgetLevel;
  readonly unit: BudgetUnit;
  /** When a new period begins. Absent: the budget has none. */
  readonly renewsAt?: string;
}

/** What is added to a counter; negative when it is taken away. */
export type Posting = Readonly<Partial<Record<keyof BudgetCounter, Amounts>>>;

/** What one attempt at a step may cost, held until it is known. */
export interface Reservation {
  /** The attempt: only it may say what came of it. */
  readonly holder: string;
  readonly amounts: Amounts;
  /** Where it is counted: the day may turn meanwhile. */
  readonly counters: readonly string[];
}

/** How an attempt ended. Empty: nothing was served. */
export type Ending = Pick<Posting, 'settled' | 'wasted' | 'lost'>;
