import { activityInfo } from '@temporalio/activity';
import { codeOf } from '../../contracts/errors';
import { type EventBody, maxBatchEvents, type SessionEvent } from '../../contracts/events';
import { batchKeys } from '../../contracts/names';
import type { AgentConfig } from '../../contracts/tenant';
import { yetToBegin } from '../../domain/beginnings';
import { tellsOfMore } from '../../domain/log-past';
import { modelOfAttempt } from '../../domain/models';
import type { Thought } from '../../domain/session';
import type { ModelQuestion } from '../../ports/model';
import { approvalRecords } from './approval-events';
import { askModel, type Heard, requestOf } from './ask-model';
import { forNextAttempt, isStopped, keepPartial, wasteKey } from './broken-attempt';
import { atOnceMs, DeferredWrite, noticeableMs } from './deferred-write';
import { type SessionStepDeps, unread } from './deps';
import { type History, type HistoryRange, readAttached, readHistory } from './history';
import { equip, type Equipped } from './policy';
import { recalledFacts, type RecalledFacts } from './recall-facts';
import { recordAnswer } from './record-answer';
import { holdAttempt, settleFromLog, type StepBudget } from './step-budget';
import { eventsOf, thoughtFrom } from './step-events';
import { beginsTurn, openingBehind, type StepBeginning, stepOpening, turnBeginning, writeOpening } from './step-opening';
import { stepRefused } from './step-refused';
import { TokenStream } from './token-stream';
import { type Shortening, shorteningOf } from './too-long';
import { notingWaste, type Waste } from './waste';

export interface ThinkInput extends StepBeginning, HistoryRange {
  readonly userId: string;
  /** Of the configuration the turn began with; absent in its first step. */
  readonly configVersion?: number;
}

export const createThink = (deps: SessionStepDeps) => ({
  /**
   * Asks the model for the next step, streams its words to whoever listens, and writes what it said and wants.
   * A repeated attempt returns what an earlier one wrote; a broken one is taken back with `step.reset`. Cancelled, it stops the
   * model and keeps what was said so far.
   *
   * @returns `compact` when what is older must be summarised before the model can read it all; `outcome` when the turn is over; otherwise the calls that wait (those with bad input are answered already).
   * @throws DomainError `model/*`, `config/unreadable`, `dependency/unavailable`
   * @see docs/decisions/0003-session-log.md
   */
  think: (input: ThinkInput): Promise<Thought> => notingWaste(deps, input, wasteKey(input), (waste) => thinkOnce(deps, input, waste)),
});

async function thinkOnce(deps: SessionStepDeps, input: ThinkInput, waste: Waste): Promise<Thought> {
  // A turn keeps to the configuration it began with.
  const [configured] = await Promise.all([equip(deps, input), mustKnowTheLog(deps, input)]);
  const begins = beginsTurn(input);
  const recalled = await recalledFacts(deps, { ...input, beginning: begins ? () => turnBeginning(deps, input) : undefined }, configured.agent);
  if (!recalled) return thinkOn(deps, input, { configured, waste });
  // It is in the log with how the turn begins: that is not written again.
  const begun: ThinkInput = begins ? { ...input, after: Math.max(input.after, recalled.seq), factsAt: recalled.seq } : input;
  return { ...(await thinkOn(deps, begun, { configured, waste, recalled })), factsAt: recalled.seq };
}

async function thinkOn(deps: SessionStepDeps, input: ThinkInput, { configured, waste, recalled }: { configured: Equipped; waste: Waste; recalled?: RecalledFacts }): Promise<Thought> {
  const { tenantId, sessionId, turnId, step, after } = input;
  const earlier = activityInfo().attempt > 1 ? await deps.log.find({ tenantId, sessionId }, { after, key: batchKeys.stepCompleted(turnId, step) }) : undefined;
  if (earlier) {
    await settleFromLog(deps, input, earlier);
    return concluded(deps, input, earlier, configured);
  }

  const [history, beginning] = await Promise.all([readHistory(deps.log, input), stepOpening(deps, input)]);
  const opening = beginsTurn(input) ? beginning : openingBehind(input, beginning, history.events);
  const contents = await readAttached(deps.attachments, { tenantId, sessionId }, history, opening);
  const prepare = (modelId: string) => {
    const equipped = { ...configured, agent: { ...configured.agent, modelId } };
    const request = requestOf({ tenantId, sessionId, turnId, ...equipped, history, opening, contents, recalled });
    return { equipped, request, shortening: shorteningOf(deps.contexts, request, { history, opening, compacted: input.compacted === true }) };
  };
  const { agent } = configured;
  const asked = prepare(modelOfAttempt(agent, activityInfo().attempt));
  const tooLong = asked.shortening.beforeStep();
  if (tooLong) return { ...thoughtFrom([], configured), head: (await writeOpening(deps, input, opening)).head, compact: tooLong };
  const held = await holdAttempt(deps, input, agent, asked, () => prepare(agent.modelId));
  if ('exhausted' in held) return stepRefused(deps, input, configured, { ...held, opening });
  if (input.resumed) await held.budget.before(deps.budgetLedger.noteWaiting({ tenantId, sessionId }, false));
  return ask(deps, input, { ...held, configured: agent, history, opening, waste });
}

/** A step for which the model may be asked. */
interface Prepared {
  readonly equipped: Equipped;
  /** The agent before another model took over for this attempt. */
  readonly configured: AgentConfig;
  readonly request: ModelQuestion;
  readonly history: History;
  readonly opening: readonly EventBody[];
  readonly shortening: Shortening;
  readonly budget: StepBudget;
  readonly waste: Waste;
}

/** Asks the model, streams what it says, and writes it; what an attempt cost that came to nothing is written, too. */
async function ask(deps: SessionStepDeps, input: ThinkInput, { equipped, configured, request, history, opening, shortening, budget, waste }: Prepared): Promise<Thought> {
  const { tenantId, sessionId, turnId, step, after } = input;
  const { agent } = equipped;
  const stream = new TokenStream({
    send: (delta) => deps.live.publish({ tenantId, sessionId }, [delta]),
    place: { turnId, step },
    onFirst: () => beginning.hasten(atOnceMs),
  });
  const beginning = new DeferredWrite(async () => {
    const opened = await writeOpening(deps, input, opening);
    // A delta's place is behind the step's beginning.
    stream.open(opened.head);
    return opened;
  }, noticeableMs);
  // An earlier attempt may have written it: then it must be found under its own key.
  if (activityInfo().attempt > 1) await budget.before(beginning.begin());
  const heard: Heard = { calls: [], reasoning: [], usage: undefined };
  const answer = await askModel(deps.model, request, { stream, heard, beginning, shortening }).catch(async (error: unknown) => {
    const written = stream.reasoning + stream.text + heard.calls.map(({ rawInput }) => rawInput).join('');
    const wasted = await budget.waste(agent.modelId, { written, told: heard.usage }, error);
    const { head } = await beginning.begin().catch(async (unbegun: unknown) => {
      if (wasted) await waste.keepUnbegun(unbegun, wasted);
      throw unbegun;
    });
    try {
      if (isStopped()) await keepPartial(deps, input, head, stream.text);
    } finally {
      if (wasted) await waste.keep(wasted);
    }
    const compact = codeOf(error) === 'model/context-overflow' ? shortening.afterOverflow() : undefined;
    if (compact) return { ...thoughtFrom([], equipped), head, compact };
    throw forNextAttempt(error, configured);
  });
  if ('compact' in answer) return answer;
  const opened = await beginning.settle().catch(async (error: unknown) => {
    await budget.wasteAnswer(agent.modelId, answer.usage);
    await waste.keepUnbegun(error, budget.wasted(agent.modelId, answer.usage));
    throw error;
  });
  const isRepair = history.events.some((event) => event.type === 'answer.rejected' && event.turnId === turnId);
  const said = eventsOf({ ...answer, isFallback: agent.modelId !== configured.modelId, isRepair }, input, equipped, budget.recorded(agent.modelId, answer.usage));
  const batch = {
    after: opened?.head ?? after,
    key: batchKeys.stepCompleted(turnId, step),
    events: opened ? said : [...opening, ...said],
    // This attempt may be one that was given up for dead: a turn that ended meanwhile stays as it ended.
    notBehind: batchKeys.turnCompleted(turnId),
    unwritten: yetToBegin,
  };
  const written = await recordAnswer(deps, input, batch, { modelId: agent.modelId, usage: answer.usage, budget, waste, hasBegun: opened !== undefined }, (events) => stream.among(events));
  return concluded(deps, input, written.events, equipped);
}

/** What is in the log goes into lists, too: approvals that the step asks for. */
async function concluded(deps: SessionStepDeps, input: ThinkInput, events: readonly SessionEvent[], equipped: Equipped): Promise<Thought> {
  await deps.approvals.open(approvalRecords(events, input));
  return thoughtFrom(events, equipped);
}

/** @throws DomainError `log/unread` */
async function mustKnowTheLog({ log }: SessionStepDeps, { tenantId, sessionId, turnId, after }: ThinkInput): Promise<void> {
  if (after === 0 && tellsOfMore(await log.read({ tenantId, sessionId }, { after: 0, limit: maxBatchEvents }), turnId)) throw unread();
}
