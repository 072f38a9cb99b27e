import { isDeepStrictEqual } from 'node:util';
import { activityInfo } from '@temporalio/activity';
import type { AgentPin } from '../../contracts/agent';
import { budgetLevels, type Budgets, type Reservation } from '../../contracts/budget';
import { codeOf, DomainError, noneIf } from '../../contracts/errors';
import type { EventBody, SessionEvent, Usage } from '../../contracts/events';
import type { RequestSize } from '../../contracts/model';
import { budgetCounters } from '../../contracts/names';
import type { AgentConfig } from '../../contracts/tenant';
import { amountsOf, type BudgetsInForce, budgetsInForce, guessedUsage, hasLimit, limitsDollars, renewalOf, worstCase } from '../../domain/budgets';
import { bestMatch } from '../../domain/name-pattern';
import { costMicroUsdOf, priceOf } from '../../domain/prices';
import type { Exhausted } from '../../domain/session';
import { definitionOf } from '../../domain/tiers';
import type { LimitedCounter, StepRef } from '../../ports/budget-ledger';
import type { ModelQuestion } from '../../ports/model';
import type { SessionStepDeps } from './deps';

type BudgetDeps = Pick<SessionStepDeps, 'budgetLedger' | 'prices' | 'configs' | 'directory' | 'tiers' | 'contexts'>;

interface StepOfUser extends StepRef {
  readonly userId: string;
  /** The version its session keeps to; absent: the tenant's own agent. */
  readonly agent?: AgentPin;
}

/** What the most that a step can cost was held against, or what has not enough left for it. */
export type HeldStep = { readonly budget: StepBudget } | RefusedStep;

interface RefusedStep {
  readonly exhausted: Exhausted;
  readonly inForce: BudgetsInForce;
}

/**
 * Holds the most a step can cost against every budget that has a limit. Where none has, nobody is asked. A turn keeps to the budgets its own agent had when it began;
 * once they are used up, to those that its agent has now. A version never has others.
 * @param sizeOf - measures what the model is to read; not asked where nothing depends on it.
 * @throws DomainError `model/no-price` where dollars are limited; `dependency/unavailable`: what cannot be written down is not spent.
 */
export async function holdBudget(deps: BudgetDeps, step: StepOfUser, agent: AgentToPay, sizeOf: () => RequestSize): Promise<HeldStep> {
  const held = await holdWithin(deps, step, agent, sizeOf);
  if ('budget' in held || step.agent) return held;
  const inForce = await deps.configs.current(step.tenantId).catch(noneIf('config/unreadable'));
  if (!inForce || isDeepStrictEqual(inForce.agent.budgets, agent.budgets)) return held;
  return holdWithin(deps, step, { ...agent, budgets: inForce.agent.budgets }, sizeOf);
}

/**
 * Holds for the question an attempt asks. A fallback that has no price, or for which not enough is left, is passed over: the agent's own model may be there again.
 * @param asked - for the attempt's model. @param ofOwn - the same for the agent's own.
 * @throws DomainError as `holdBudget` does
 */
export async function holdAttempt<Asked extends { readonly request: ModelQuestion }>(deps: BudgetDeps & Pick<SessionStepDeps, 'model'>, step: StepOfUser, { modelId: own, budgets }: AgentConfig, asked: Asked, ofOwn: () => Asked): Promise<(Asked & { readonly budget: StepBudget }) | RefusedStep> {
  const hold = async (question: Asked) => {
    const { request } = question;
    const held = await holdBudget(deps, step, { modelId: request.modelId, maxOutputTokens: request.maxOutputTokens, budgets }, () => deps.model.sizeOf(request));
    return 'budget' in held ? { ...question, ...held } : held;
  };
  if (asked.request.modelId === own) return hold(asked);
  const held = await hold(asked).catch(noneIf('model/no-price'));
  return held && 'budget' in held ? held : hold(ofOwn());
}

type AgentToPay = Pick<AgentConfig, 'modelId' | 'maxOutputTokens' | 'budgets'>;

async function holdWithin(deps: BudgetDeps, step: StepOfUser, agent: AgentToPay, sizeOf: () => RequestSize): Promise<HeldStep> {
  const inForce = await budgetsOf(deps, step.tenantId, agent.budgets);
  if (!hasLimit(inForce)) {
    await closeDead(deps, step);
    return { budget: new StepBudget(deps, step, sizeOf, undefined) };
  }
  const price = priceOf(deps.prices, agent.modelId);
  if (!price && limitsDollars(inForce))
    throw new DomainError('model/no-price', `A budget in dollars is set, and model ${agent.modelId} has no price: set one with MODEL_PRICES, or limit tokens or calls instead.`);
  const nowMs = Date.now();
  const levels = limitedCounters(inForce, step, new Date(nowMs).toISOString());
  const reservation = { holder: holderOf(), amounts: worstCase(sizeOf(), agent.maxOutputTokens, price, bestMatch(deps.contexts, agent.modelId)?.tokens), counters: levels.map(({ counter }) => counter) };
  const missing = await deps.budgetLedger.reserve(step, reservation, levels);
  if (!missing) return { budget: new StepBudget(deps, step, sizeOf, reservation) };
  const renewsAt = renewalOf(missing.level, nowMs);
  return { inForce, exhausted: { ...missing, ...(renewsAt !== undefined && { renewsAt }), longestPauseMs: inForce.longestPauseMs } };
}

export async function budgetsOf({ directory, tiers }: Pick<BudgetDeps, 'directory' | 'tiers'>, tenantId: string, agent: Budgets | undefined): Promise<BudgetsInForce> {
  const { tier, operatorBudgets: operator, ownBudgets: own } = await directory.built(tenantId);
  return budgetsInForce({ tier: definitionOf(tiers, tier).budgets, operator, own, agent });
}

const limitedCounters = ({ limits }: BudgetsInForce, { sessionId, userId }: StepOfUser, at: string): LimitedCounter[] => {
  const counters = { session: budgetCounters.session(sessionId), userDay: budgetCounters.userDay(userId, at), tenantDay: budgetCounters.tenantDay(at), tenantMonth: budgetCounters.tenantMonth(at) };
  return budgetLevels.flatMap((level) => {
    const limit = limits[level];
    return limit ? [{ level, counter: counters[level], limit }] : [];
  });
};

/** This attempt among all at the step, those after a pause included. */
function holderOf(): string {
  const { workflowExecution, activityId, attempt } = activityInfo();
  return `${workflowExecution?.runId ?? ''}/${activityId}/${attempt}`;
}

/** The last limit was taken away after an attempt that held something: that is not kept. */
async function closeDead({ budgetLedger: ledger }: BudgetDeps, step: StepRef): Promise<void> {
  const dead = activityInfo().attempt > 1 ? await ledger.held(step) : undefined;
  if (dead) await ledger.close(step, dead, { lost: dead.amounts });
}

/** What one attempt at a step holds, until it is known what it cost. */
export class StepBudget {
  constructor(
    private readonly deps: BudgetDeps,
    private readonly step: StepOfUser,
    private readonly sizeOf: () => RequestSize,
    private readonly reservation: Reservation | undefined,
  ) {}

  /** What must be done before the model is asked. When it fails nobody was asked, and nothing stays held. */
  async before<Done>(done: Promise<Done>): Promise<Done> {
    try {
      return await done;
    } catch (error) {
      if (this.reservation) await this.deps.budgetLedger.close(this.step, this.reservation, {}).catch(() => undefined);
      throw error;
    }
  }

  /** The answer is in the log. */
  async settle(modelId: string, usage: Usage): Promise<void> {
    if (this.reservation) await this.deps.budgetLedger.close(this.step, this.reservation, { settled: amountsOf(usage, priceOf(this.deps.prices, modelId)) });
  }

  /**
   * The attempt came to nothing. That cannot be noted, too? Then the next attempt, or the end of the turn, finds what it held.
   * @param written - what the model had said and asked for. @param told - what the model server says it cost, if it came to that.
   * @returns what the log says of it; undefined when nothing was served.
   */
  async waste(modelId: string, { written, told }: { written: string; told: Usage | undefined }, error: unknown): Promise<EventBody | undefined> {
    const usage = told ?? (wasServed(written, error) ? guessedUsage(this.sizeOf(), written) : undefined);
    if (usage) await this.wasteAnswer(modelId, usage);
    else if (this.reservation) await this.deps.budgetLedger.close(this.step, this.reservation, {}).catch(() => undefined);
    return usage && this.wasted(modelId, usage);
  }

  /** The model answered, and the answer is not in the log. */
  async wasteAnswer(modelId: string, usage: Usage): Promise<void> {
    if (this.reservation) await this.deps.budgetLedger.close(this.step, this.reservation, { wasted: amountsOf(usage, priceOf(this.deps.prices, modelId)) }).catch(() => undefined);
  }

  /** What the log says of an answer that it has. */
  recorded(modelId: string, usage: Usage): EventBody {
    const { attempt } = activityInfo();
    return { type: 'usage.recorded', ...this.costOf(modelId, usage), ...(attempt > 1 && { attempt }) };
  }

  /** What the log says of one that it has not. */
  wasted(modelId: string, usage: Usage): EventBody {
    return { type: 'usage.wasted', ...this.costOf(modelId, usage) };
  }

  /** At today's price; none for a model without one. `purpose`: what it was used for, when it was no answer. */
  private costOf(modelId: string, usage: Usage) {
    const { turnId, step, agent, purpose } = this.step;
    const price = priceOf(this.deps.prices, modelId);
    return { turnId, step, modelId, usage, ...(price && { costMicroUsd: costMicroUsdOf(price, usage) }), ...(agent && { agent: agent.name }), ...(purpose && { purpose }) };
  }
}

/** A model server that refuses a request does not charge it. */
const wasServed = (written: string, error: unknown): boolean => written !== '' || !['model/throttled', 'model/unavailable', 'model/refused', 'model/context-overflow'].includes(codeOf(error) ?? '');

/** An attempt that wrote its answer may have died before it settled: the log knows what it cost. */
export async function settleFromLog({ budgetLedger: ledger, prices }: BudgetDeps, step: StepRef, events: readonly SessionEvent[]): Promise<void> {
  const reservation = await ledger.held(step);
  if (reservation) await ledger.close(step, reservation, endingOf(reservation, step, events, prices));
}

/** A turn has ended without the model's last word: nothing stays held, and nobody waits for budget any more. @param events - of the turn. */
export async function closeBudget({ budgetLedger: ledger, prices }: BudgetDeps, { turnId, ...session }: Omit<StepRef, 'step' | 'purpose'>, events: readonly EventBody[]): Promise<void> {
  for (const { reservation, ...held } of await ledger.heldOf(session, turnId)) await ledger.close({ ...session, turnId, ...held }, reservation, endingOf(reservation, held, events, prices));
  if (events.some(({ type }) => type === 'budget.exhausted')) await ledger.noteWaiting(session, false);
}

function endingOf(reservation: Reservation, { step, purpose }: Pick<StepRef, 'step' | 'purpose'>, events: readonly EventBody[], prices: SessionStepDeps['prices']) {
  const used = events.find((event) => event.type === 'usage.recorded' && event.step === step && event.purpose === purpose);
  if (used?.type !== 'usage.recorded') return { lost: reservation.amounts };
  return { settled: amountsOf(used.usage, priceOf(prices, used.modelId)) };
}
