import { createHash } from 'node:crypto';
import { activityInfo } from '@temporalio/activity';
import type { AgentPin } from '../../contracts/agent';
import { DomainError, type ErrorCode } from '../../contracts/errors';
import type { EventBody, SessionEvent } from '../../contracts/events';
import { batchKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import { extractionPrompt, extractionText, factsIn, maxExtractionTokens, maxFactCharacters, maxFacts, saidIn } from '../../domain/extracted-facts';
import { modelOfAttempt } from '../../domain/models';
import { maxQueryCharacters } from '../../domain/recalled-facts';
import { shortenedTo } from '../../domain/well-formed';
import type { ModelQuestion } from '../../ports/model';
import type { AppendInput } from '../../ports/session-store';
import { agentOf } from './agent';
import { record, type SessionStepDeps } from './deps';
import { listen, type PlainAnswer } from './plain-answer';
import { recordAnswer } from './record-answer';
import { holdAttempt, settleFromLog, type StepBudget } from './step-budget';
import type { Recorded } from './use-tool';
import { notingWaste, type Waste } from './waste';

/** A turn that was completed. */
interface EndedTurn extends SessionRef {
  readonly userId: string;
  readonly agent?: AgentPin;
  readonly turnId: string;
  /** Its last. */
  readonly step: number;
  /** Where it ends in the log. */
  readonly upTo: number;
}

export interface ExtractFactsInput extends EndedTurn {
  readonly configVersion?: number;
  /** Where the log stood when the turn began. */
  readonly after: number;
}

export interface SkipFactsInput extends EndedTurn {
  readonly code: string;
  readonly message: string;
}

export const createFactActivities = (deps: SessionStepDeps) => ({
  /**
   * Has the model find lasting facts in what the user wrote in a turn, notes them in the log, and keeps them in the tenant's memory, each once. From the note on they are what
   * they are: an attempt that follows keeps those that are missing, and asks nobody. Out of budget, nothing is asked and the log says so.
   *
   * @throws DomainError `model/*`, `session/not-found` when it was erased meanwhile, `turn/ended` when the turn was given up, `config/unreadable`, `dependency/*`
   * @see docs/decisions/0077-facts-by-themselves.md
   */
  async extractFacts(input: ExtractFactsInput): Promise<Recorded> {
    const { turnId, upTo } = input;
    const { activityId, attempt } = activityInfo();
    return notingWaste(deps, { ...sessionOf(input), after: upTo }, batchKeys.factsWasted(turnId, `${activityId}/${attempt}`), async (waste) => {
      const noted = await deps.log.find(sessionOf(input), { after: upTo, key: batchKeys.factsExtracted(turnId) });
      if (noted) await settleFromLog(deps, placeOf(input), noted);
      const events = noted ?? (await find(deps, input, waste));
      await keep(deps, input, events);
      return { head: events.at(-1)?.seq ?? upTo };
    });
  },

  /** Says in the log why nothing, or not all, is remembered from a turn; nothing stays held for it. */
  async skipFacts({ code, message, ...turn }: SkipFactsInput): Promise<Recorded> {
    const { turnId, upTo } = turn;
    const noted = await deps.log.find(sessionOf(turn), { after: upTo, key: batchKeys.factsExtracted(turnId) });
    await settleFromLog(deps, placeOf(turn), noted ?? []);
    const { head } = await record(deps, turn, { after: upTo, key: batchKeys.factsSkipped(turnId), events: [{ type: 'facts.skipped', turnId, code, message }] });
    return { head };
  },
});

const purpose = 'extraction';
/** Facts that the model is told it knows. */
const mostKnown = 20;
/** Characters of an answer that nobody reads on. */
const mostCharacters = 16 * maxExtractionTokens + maxFacts * maxFactCharacters;

const sessionOf = ({ tenantId, sessionId }: SessionRef): SessionRef => ({ tenantId, sessionId });
const placeOf = ({ tenantId, sessionId, turnId, step, userId, agent }: EndedTurn) => ({ tenantId, sessionId, turnId, step, userId, purpose, ...(agent && { agent }) }) as const;

/** @returns what the log says of the turn's facts from now on; nothing when the user said nothing, or the agent keeps nothing. */
async function find(deps: SessionStepDeps, input: ExtractFactsInput, waste: Waste): Promise<readonly SessionEvent[]> {
  const { tenantId, sessionId, userId, turnId, after, upTo } = input;
  await mustBeThere(deps, input);
  const [{ agent }, events] = await Promise.all([agentOf(deps, input), deps.log.read({ tenantId, sessionId }, { after, upTo })]);
  const said = saidIn(events, turnId);
  if (!agent.memory?.extract || said.length === 0) return [];
  const known = (await deps.memory.recall({ tenantId, userId }, { text: shortenedTo(said.join('\n'), maxQueryCharacters), limit: mostKnown })).map(({ text }) => text);
  const text = extractionText(said, known);
  const prepare = (modelId: string) => ({ request: requestOf(input, modelId, text) });
  const held = await holdAttempt(deps, placeOf(input), agent, prepare(modelOfAttempt(agent, activityInfo().attempt)), () => prepare(agent.modelId));
  if ('exhausted' in held) return (await record(deps, sessionOf(input), noteOf(input, [skipped(turnId, 'budget/exhausted', `The budget ${held.exhausted.level}.${held.exhausted.unit} is used up.`)]))).events;

  const { request, budget } = held;
  const { modelId } = request;
  const { text: answer, usage } = await wholeAnswer(deps, request, budget, waste);
  const facts = factsIn(answer, known);
  const found: EventBody = facts ? { type: 'facts.extracted', turnId, facts: facts.map((fact) => ({ text: fact })) } : skipped(turnId, 'model/invalid-output', 'The model did not answer with a list of facts.');
  return (await recordAnswer(deps, sessionOf(input), noteOf(input, [found, budget.recorded(modelId, usage)]), { modelId, usage, budget, waste, hasBegun: true })).events;
}

const requestOf = ({ tenantId, sessionId }: SessionRef, modelId: string, text: string): ModelQuestion => ({
  tenantId,
  sessionId,
  modelId,
  systemPrompt: extractionPrompt,
  messages: [{ role: 'user', content: [{ text }] }],
  tools: [],
  maxOutputTokens: maxExtractionTokens,
});

const skipped = (turnId: string, code: ErrorCode, message: string): EventBody => ({ type: 'facts.skipped', turnId, code, message });

/** An attempt that was given up for dead finds out when it writes this. */
const noteOf = ({ turnId, upTo }: ExtractFactsInput, events: readonly EventBody[]): AppendInput => ({ after: upTo, key: batchKeys.factsExtracted(turnId), events, notBehind: batchKeys.factsSkipped(turnId) });

async function wholeAnswer(deps: SessionStepDeps, request: ModelQuestion, budget: StepBudget, waste: Waste): Promise<Required<PlainAnswer> & { usage: NonNullable<PlainAnswer['usage']> }> {
  const answer: PlainAnswer = { text: '', usage: undefined };
  try {
    await listen(deps.model, request, answer, mostCharacters);
    const { text, usage, isWhole } = answer;
    if (usage && isWhole) return { text, usage, isWhole };
    throw new DomainError('model/refused', 'The model did not finish its answer.');
  } catch (error) {
    const wasted = await budget.waste(request.modelId, { written: answer.text, told: answer.usage }, error);
    if (wasted) await waste.keep(wasted);
    throw error;
  }
}

/** Keeps what is noted. Of a session that is erased just now nothing may stay: what got in between is taken back. */
async function keep(deps: SessionStepDeps, input: ExtractFactsInput, events: readonly SessionEvent[]): Promise<void> {
  const { tenantId, sessionId, userId, turnId } = input;
  const facts = events.flatMap((event) => (event.type === 'facts.extracted' ? event.facts : []));
  for (const [index, { text }] of facts.entries()) {
    await mustBeThere(deps, input);
    const { factId } = await deps.memory.remember({ tenantId, userId }, { requestId: requestIdOf(input, index), text, source: { sessionId, turnId } });
    await mustBeThere(deps, input).catch(async (error: unknown) => {
      await deps.memory.forget(tenantId, factId);
      throw error;
    });
  }
}

/** The same for all attempts at one fact of a turn. */
const requestIdOf = ({ sessionId, turnId }: EndedTurn, index: number): string => createHash('sha256').update(JSON.stringify(['fact', sessionId, turnId, index])).digest('hex');

/** @throws DomainError `session/not-found` */
async function mustBeThere({ sessions }: SessionStepDeps, { tenantId, sessionId }: EndedTurn): Promise<void> {
  if (!(await sessions.get({ tenantId, sessionId }))) throw new DomainError('session/not-found', 'There is no such session.');
}
