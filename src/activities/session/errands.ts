import type { AgentPin } from '../../contracts/agent';
import type { CalledAgent } from '../../contracts/called-agent';
import { codeOf, DomainError } from '../../contracts/errors';
import { type EventBody, maxBatchEvents, type SessionEvent } from '../../contracts/events';
import type { JsonValue } from '../../contracts/model';
import { batchKeys } from '../../contracts/names';
import type { Errand } from '../../contracts/session';
import { partsOf, pinOf } from '../../domain/agents';
import { errandOf } from '../../domain/called-agents';
import { leaveWorkPlaces, takeWorkPlaces, type Work } from '../places';
import { record, type SessionStepDeps, type TurnInput } from './deps';
import { errandIds } from './errand-ids';
import { Task } from './tools/called-agent';

/** What is needed to have another agent work: its session is there, and the task is its message. */
export interface OpenedErrand {
  readonly agent: AgentPin;
  readonly errand: Errand;
}

/** The call, in its turn. */
export interface OpenErrandInput extends TurnInput {
  readonly userId: string;
  readonly step: number;
  readonly call: { readonly callId: string };
}

export interface SettleErrandInput extends TurnInput {
  readonly step: number;
  readonly call: { readonly callId: string; readonly tool: string; readonly childSessionId: string };
}

/**
 * Opens a session for a call: of the same user, with the agent's version as it is now, and the task as its message. What an earlier attempt opened stays as it is. It takes
 * the places that a message of the user's would: without one nothing is opened, and nobody waits, since it may be the caller itself that holds the last.
 * @throws DomainError `agent/not-found`, `agent/archived`, `agent/no-place`, `session/exists`; `dependency/unavailable` when nobody counts places.
 */
export async function openErrand(deps: SessionStepDeps, input: OpenErrandInput, called: CalledAgent, toolInput: JsonValue): Promise<OpenedErrand> {
  const { tenantId, userId, turnId, step, call } = input;
  const ids = errandIds({ ...input, callId: call.callId });
  const session = { tenantId, sessionId: ids.sessionId };
  const errand = errandOf(called, { turnId: ids.turnId, depth: input.errand?.depth ?? 0 });
  const parent = { sessionId: input.sessionId, turnId, step, callId: call.callId, depth: errand.depth };
  const there = await deps.sessions.get(session);
  const pin = there?.agent ?? pinOf(called.agent, await deps.agents.get(tenantId, partsOf(called.agent).name));
  return placed(deps, tenantId, { userId, ...ids }, async () => {
    const { agent = pin, parent: opener } = there ?? (await deps.sessions.create({ ...session, userId, createdAt: new Date().toISOString(), agent: pin, parent }));
    if (opener?.sessionId !== parent.sessionId) throw new DomainError('session/exists', `There is a session ${session.sessionId} already.`);
    await deps.messages.put(session, { turnId: ids.turnId, userId, text: Task.parse(toolInput).task });
    return { agent, errand };
  });
}

/** Opens what has its places; they are given back when it cannot be opened. @throws DomainError `agent/no-place` */
async function placed(deps: SessionStepDeps, tenantId: string, work: Work, open: () => Promise<OpenedErrand>): Promise<OpenedErrand> {
  try {
    await takeWorkPlaces(deps, await deps.directory.built(tenantId), work);
    return await open();
  } catch (error) {
    await leaveWorkPlaces(deps, tenantId, work);
    const code = codeOf(error);
    if (code !== 'limit/turns' && code !== 'limit/sessions') throw error;
    throw new DomainError('agent/no-place', `The agent was not called, and did nothing: there is no place for it now. ${(error as Error).message} Go on without it, or call it later.`, { cause: error });
  }
}

/** Nothing works for the call any more: its session is closed if it is not, and its places are free, also when it was ended from outside, or never began. */
export async function leaveErrand(deps: Pick<SessionStepDeps, 'sessions' | 'places'>, tenantId: string, ids: ReturnType<typeof errandIds>): Promise<void> {
  const closed = await deps.sessions.close({ tenantId, sessionId: ids.sessionId }, new Date().toISOString());
  if (closed) await leaveWorkPlaces(deps, tenantId, { userId: closed.userId, ...ids });
}

export const createErrandActivities = (deps: SessionStepDeps) => ({
  /** Writes the result of a call that another agent has worked on: its answer, as its log has it, or how it ended without one. A session whose work never began is closed. */
  async settleErrand({ step, call, ...input }: SettleErrandInput): Promise<{ head: number }> {
    const { tenantId, sessionId, turnId, after } = input;
    const { callId, tool, childSessionId } = call;
    const child = { tenantId, sessionId: childSessionId };
    const ids = errandIds({ tenantId, sessionId, turnId, step, callId });
    const { seq = 0 } = (await deps.log.last(child)) ?? {};
    // The answer is in one batch with the end of its turn; behind that there is only the session's own end.
    const end = endOf(await deps.log.read(child, { after: Math.max(0, seq - maxBatchEvents - 1) }), ids.turnId);
    await leaveErrand(deps, tenantId, ids);
    const event: EventBody = { turnId, step, callId, tool, childSessionId, ...end };
    const { head } = await record(deps, input, { after, key: batchKeys.toolCompleted(turnId, step, callId), events: [event] });
    return { head };
  },
});

type Ending = { type: 'tool.completed'; output: JsonValue } | { type: 'tool.failed'; code: string; message: string };

/** What a session's turn came to, as the result of the call that it worked for. */
function endOf(events: readonly SessionEvent[], turnId: string): Ending {
  const ofTurn = events.filter((event) => 'turnId' in event && event.turnId === turnId);
  const end = ofTurn.find((event) => event.type === 'turn.completed');
  if (end?.outcome !== 'completed') {
    const reason = [end?.code, end?.message].filter((part) => part !== undefined).join(': ');
    return { type: 'tool.failed', code: 'agent/unanswered', message: `The agent gave no answer (${end?.outcome ?? 'stopped'}).${reason === '' ? '' : ` ${reason}`}` };
  }
  const answer = ofTurn.findLast((event) => event.type === 'message.completed' && event.text !== '');
  return { type: 'tool.completed', output: { answer: answer?.type === 'message.completed' ? answer.text : '', ...(end.value !== undefined && { value: end.value }) } };
}
