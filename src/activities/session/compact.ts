import { activityInfo } from '@temporalio/activity';
import { codeOf, errors } from '../../contracts/errors';
import type { EventBody, Usage } from '../../contracts/events';
import { batchKeys } from '../../contracts/names';
import { type CompactionPlan, maxSummaryTokens, requestWithin, summaryPrompt, textToSummarise } from '../../domain/compaction';
import { modelOfAttempt } from '../../domain/models';
import type { CompactionResult } from '../../domain/session';
import type { ModelQuestion } from '../../ports/model';
import { wasteKey } from './broken-attempt';
import type { SessionStepDeps, TurnInput } from './deps';
import { type History, type HistoryRange, readHistory } from './history';
import { listen, type PlainAnswer } from './plain-answer';
import { equip } from './policy';
import { recordAnswer } from './record-answer';
import { holdAttempt, settleFromLog, type StepBudget } from './step-budget';
import { stepRefused } from './step-refused';
import { notingWaste, type Waste } from './waste';

export interface CompactInput extends TurnInput, HistoryRange {
  readonly userId: string;
  /** The step that waits for it. */
  readonly step: number;
  readonly configVersion?: number;
  readonly plan: CompactionPlan;
  /** Whether it was refused before for want of budget. */
  readonly resumed?: true;
}

export const createCompact = (deps: SessionStepDeps) => ({
  /**
   * Has the model summarise the older part of a conversation, and writes the summary to the log, which keeps what it stands for. A repeated attempt returns what an
   * earlier one wrote. When the model cannot do it there is no summary, and the step is tried without.
   *
   * @throws DomainError `model/throttled`, `model/unavailable`, `model/stream-broken` (tried again), `model/no-price`, `turn/ended`, `config/unreadable`, `dependency/unavailable`
   * @see docs/decisions/0094-compaction.md
   */
  compact: (input: CompactInput): Promise<CompactionResult> => notingWaste(deps, input, wasteKey(input), (waste) => compactOnce(deps, input, waste)),
});

async function compactOnce(deps: SessionStepDeps, input: CompactInput, waste: Waste): Promise<CompactionResult> {
  const { tenantId, sessionId, turnId, step, after, plan } = input;
  const place = { tenantId, sessionId, turnId, step, purpose } as const;
  const key = batchKeys.historyCompacted(turnId, step, plan.upTo);
  const earlier = activityInfo().attempt > 1 ? await deps.log.find({ tenantId, sessionId }, { after, key }) : undefined;
  if (earlier) {
    await settleFromLog(deps, place, earlier);
    return { head: earlier.at(-1)?.seq ?? after, at: earlier[0]?.seq ?? after };
  }
  const [equipped, history] = await Promise.all([equip(deps, input), readHistory(deps.log, { ...input, after: plan.upTo })]);
  const { agent } = equipped;
  const prepare = (modelId: string) => ({ request: requestOf(input, modelId, history) });
  const asked = prepare(modelOfAttempt(agent, activityInfo().attempt));
  const held = await holdAttempt(deps, { ...place, userId: input.userId, ...(input.agent && { agent: input.agent }) }, agent, asked, () => prepare(agent.modelId));
  if ('exhausted' in held) return stepRefused(deps, input, equipped, { ...held, opening: [] });
  if (input.resumed) await held.budget.before(deps.budgetLedger.noteWaiting({ tenantId, sessionId }, false));

  const { request, budget } = held;
  const { modelId } = request;
  const answer = await summarise(deps, input, request, { budget, waste });
  if ('head' in answer) return answer;
  const { summary, usage } = answer;
  const events: EventBody[] = [
    { type: 'history.compacted', turnId, step, upTo: plan.upTo, summary, ...requestWithin(history.summary, history.events) },
    budget.recorded(modelId, usage),
  ];
  const written = await recordAnswer(deps, input, { after, key, events, notBehind: batchKeys.turnCompleted(turnId) }, { modelId, usage, budget, waste, hasBegun: true });
  return { head: written.head, at: written.events[0]?.seq ?? written.head };
}

const purpose = 'compaction';

const requestOf = ({ tenantId, sessionId, plan }: CompactInput, modelId: string, { summary, events }: History): ModelQuestion => ({
  tenantId,
  sessionId,
  modelId,
  systemPrompt: summaryPrompt,
  messages: [{ role: 'user', content: [{ text: textToSummarise(summary, events, plan.maxCharacters) }] }],
  tools: [],
  maxOutputTokens: maxSummaryTokens,
});

/** Where it is counted what an attempt cost. */
interface Account {
  readonly budget: StepBudget;
  readonly waste: Waste;
}

/** @returns a summary, or where the log ends when the model makes none. */
async function summarise(deps: SessionStepDeps, input: CompactInput, request: ModelQuestion, account: Account): Promise<{ summary: string; usage: Usage } | { head: number }> {
  const heard: PlainAnswer = { text: '', usage: undefined };
  try {
    await listen(deps.model, request, heard, mostCharacters);
    if (heard.usage && heard.isWhole && heard.text.trim() !== '') return { summary: heard.text, usage: heard.usage };
  } catch (error) {
    await noteWaste(account, request, heard, error);
    if (!isHopeless(error)) throw error;
    return { head: input.after };
  }
  await noteWaste(account, request, heard, undefined);
  return { head: input.after };
}

/** Characters of a summary that nobody reads on; no token is longer than this on average. */
const mostCharacters = 16 * maxSummaryTokens;

/** That asking again would not help. */
function isHopeless(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && code.startsWith('model/') && !errors[code].retryable;
}

async function noteWaste({ budget, waste }: Account, { modelId }: ModelQuestion, { text, usage }: PlainAnswer, error: unknown): Promise<void> {
  const wasted = await budget.waste(modelId, { written: text, told: usage }, error);
  if (wasted) await waste.keep(wasted);
}
