import type { AgentPin } from '../../contracts/agent';
import { codeOf, DomainError, errors, publicFailure } from '../../contracts/errors';
import type { SessionEvent } from '../../contracts/events';
import { derivedId } from '../../contracts/ids';
import type { AgentSchedule, ScheduledRun } from '../../contracts/schedule';
import type { SessionRef } from '../../contracts/session';
import type { ServedTenant } from '../../contracts/tenant';
import type { Tiers } from '../../contracts/tiers';
import { partsOf, pinOf } from '../../domain/agents';
import { ownerRefusal } from '../../domain/schedules';
import type { AccessStore } from '../../ports/access';
import type { AgentSchedules } from '../../ports/agent-schedules';
import type { Agents } from '../../ports/agents';
import type { Places } from '../../ports/places';
import type { TenantUsers } from '../../ports/provisioning';
import type { SessionDirectory, SessionLog, SessionMessages } from '../../ports/session-store';
import type { Sessions } from '../../ports/sessions';
import type { TenantDirectory } from '../../ports/tenant-registry';
import { takeWorkPlaces } from '../places';

export interface ScheduledRunDeps {
  readonly agentSchedules: AgentSchedules;
  readonly agents: Pick<Agents, 'get'>;
  readonly directory: Pick<TenantDirectory, 'served'>;
  readonly users: Pick<TenantUsers, 'get'>;
  readonly accessStore: Pick<AccessStore, 'standings'>;
  readonly sessions: SessionDirectory;
  readonly messages: SessionMessages;
  readonly sessionWorkflows: Sessions;
  readonly log: SessionLog;
  readonly places: Places;
  readonly tiers: Tiers;
}

/** A run, by what every one of its activities finds it again. */
export interface RunRef {
  readonly tenantId: string;
  readonly schedule: string;
  readonly runId: string;
  readonly startedAt: string;
}

/** A turn that a run waits for. */
export interface RunTurn {
  readonly sessionId: string;
  readonly turnId: string;
  /** Where the log stood when it was taken. */
  readonly after: number;
  /** Whether the session is the run's own, and ends with it. */
  readonly isOwn: boolean;
}

/** What came of a run: it has a turn, or it ended. Ends that nobody is told of: its schedule was deleted. */
export type Begun = { readonly turn: RunTurn } | { readonly ended: Pick<ScheduledRun, 'outcome' | 'code' | 'message'> };
export type Settled = Pick<ScheduledRun, 'outcome' | 'code' | 'message'>;

/** What runs of scheduled agents do, on their tenant's queue. The same run has the same session and turn, however often it is tried. */
export const createScheduledRunActivities = (deps: ScheduledRunDeps) => ({
  /**
   * Speaks with the agent in the name of who made the schedule. Whatever it must not do is how the run ends.
   * @throws DomainError of what may pass: `dependency/unavailable`, `limit/turns`, `limit/sessions`, `session/inbox-full` …
   */
  async beginRun({ plannedAt, ...ref }: RunRef & { plannedAt?: string }): Promise<Begun> {
    const schedule = await deps.agentSchedules.get(ref.tenantId, ref.schedule);
    if (!schedule) return { ended: { outcome: 'refused', code: 'schedule/not-found', message: 'The schedule was deleted.' } };
    const earlier = await deps.agentSchedules.run(ref.tenantId, ref);
    const run = earlier ?? { ...runOf(ref), ...(plannedAt !== undefined && { plannedAt }) };
    if (!earlier) await deps.agentSchedules.putRun(ref.tenantId, run);
    try {
      const { turn, agent } = await speak(deps, ref, schedule);
      await deps.agentSchedules.putRun(ref.tenantId, { ...run, sessionId: turn.sessionId, turnId: turn.turnId, ...(agent && { agent }) });
      return { turn };
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined || errors[code].retryable) throw error;
      return { ended: { outcome: 'refused', ...publicFailure(error, code) } };
    }
  },

  /**
   * How the run's turn ended, if it has.
   * @param input - `after`: where the last look ended. `mayBeLost`: asks the session, too, whether it knows of the turn.
   * @returns `seen`: where the next look begins.
   */
  async lookAtRun({ tenantId, turn: { sessionId, turnId }, after, mayBeLost }: { tenantId: string; turn: RunTurn; after: number; mayBeLost: boolean }): Promise<{ seen: number; settled?: Settled }> {
    const session = { tenantId, sessionId };
    const state = mayBeLost ? (await deps.sessionWorkflows.status(session)).state : 'running';
    const events = await deps.log.read(session, { after });
    const seen = events.at(-1)?.seq ?? after;
    const end = events.find((event): event is SessionEvent & { type: 'turn.completed' } => event.type === 'turn.completed' && event.turnId === turnId);
    if (end) return { seen, settled: { outcome: end.outcome, ...(end.code !== undefined && { code: end.code }), ...(end.message !== undefined && { message: end.message }) } };
    // Asked before the log was read: it is not that its turn had just ended.
    if (state === 'idle' || state === 'closed') return { seen, settled: { outcome: 'lost', message: 'The session does not know of this turn: the tenant was restored meanwhile.' } };
    return { seen };
  },

  /** Stops the run's turn. */
  async stopRun({ tenantId, turn: { sessionId, turnId } }: { tenantId: string; turn: RunTurn }): Promise<void> {
    try {
      await deps.sessionWorkflows.cancel({ tenantId, sessionId }, turnId);
    } catch (error) {
      if (codeOf(error) !== 'turn/not-found') throw error;
    }
  },

  /** Notes how the run ended, and closes its session. */
  async endRun({ tenantId, schedule, runId, startedAt, turn, settled }: RunRef & { turn?: RunTurn; settled: Settled }): Promise<void> {
    await closeOwn(deps, { tenantId, schedule, runId }, turn);
    // Of a schedule that is gone nobody asks for its runs.
    if (!(await deps.agentSchedules.get(tenantId, schedule))) return;
    const run = (await deps.agentSchedules.run(tenantId, { schedule, runId, startedAt })) ?? runOf({ tenantId, schedule, runId, startedAt });
    if (run.outcome === 'running') await deps.agentSchedules.putRun(tenantId, { ...run, ...settled, endedAt: new Date().toISOString() });
  },
});

export type ScheduledRunActivities = ReturnType<typeof createScheduledRunActivities>;

/** The run's own session, which may have been opened although nothing could be said in it. */
async function closeOwn({ sessions, sessionWorkflows }: ScheduledRunDeps, { tenantId, schedule, runId }: Omit<RunRef, 'startedAt'>, turn: RunTurn | undefined): Promise<void> {
  if (turn && !turn.isOwn) return;
  const session = { tenantId, sessionId: ownSession(tenantId, schedule, runId) };
  if (turn) await sessionWorkflows.close(session);
  else {
    const opened = await sessions.get(session);
    if (opened) await sessionWorkflows.close(session, opened);
  }
}

const ownSession = (tenantId: string, schedule: string, runId: string): string => derivedId('session', tenantId, schedule, runId);

const runOf = ({ schedule, runId, startedAt }: RunRef): ScheduledRun => ({ runId, schedule, startedAt, outcome: 'running' });

/** Hands the prompt to the session; what was handed over already stays as it is. */
async function speak(deps: ScheduledRunDeps, { tenantId, runId }: RunRef, schedule: AgentSchedule): Promise<{ turn: RunTurn; agent: AgentPin | undefined }> {
  const { name, userId, agent: reference } = schedule;
  const tenant = await deps.directory.served(tenantId);
  await mustStand(deps, tenant, userId);
  const wanted = reference === undefined ? undefined : pinOf(reference, await deps.agents.get(tenantId, partsOf(reference).name));
  const session = { tenantId, sessionId: schedule.sessionId ?? ownSession(tenantId, name, runId) };
  const { agent } = await opened(deps, session, { userId, agent: wanted });
  const turnId = derivedId('turn', tenantId, name, runId);
  await takeWorkPlaces(deps, tenant, { userId, sessionId: session.sessionId, turnId });
  const { after } = await submitted(deps, session, { turnId, userId, name, agent });
  return { turn: { sessionId: session.sessionId, turnId, after, isOwn: schedule.sessionId === undefined }, agent };
}

/** Whoever ends the turn gives its place back; of a turn that never was, nobody else would. */
async function submitted(deps: ScheduledRunDeps, session: SessionRef, { name, ...message }: { turnId: string; userId: string; name: string; agent: AgentPin | undefined }): Promise<{ after: number }> {
  const { turnId, userId } = message;
  try {
    await putOnce(deps.messages, session, { turnId, userId, text: await deps.agentSchedules.prompt(session.tenantId, name) });
    return await deps.sessionWorkflows.submit(session, { ...message, onBusy: 'enqueue', unattended: true });
  } catch (error) {
    await deps.places.leave({ tenantId: session.tenantId, thing: 'turns', userId, id: turnId });
    throw error;
  }
}

/** @throws DomainError `schedule/owner-refused` */
async function mustStand({ users, accessStore }: ScheduledRunDeps, { tenantId, infrastructure }: ServedTenant, userId: string): Promise<void> {
  const [user, { user: standing }] = await Promise.all([users.get(infrastructure.userPoolId, userId), accessStore.standings(tenantId, userId)]);
  const refusal = ownerRefusal({ user, standing });
  if (refusal !== undefined) throw new DomainError('schedule/owner-refused', refusal);
}

/** @throws DomainError `session/not-found`, `session/closed`, `session/of-agent`, `session/other-agent` */
async function opened({ sessions }: ScheduledRunDeps, session: SessionRef, { userId, agent }: { userId: string; agent: AgentPin | undefined }): Promise<{ agent?: AgentPin | undefined }> {
  const record = await sessions.create({ ...session, userId, createdAt: new Date().toISOString(), ...(agent && { agent }) });
  if (record.parent) throw new DomainError('session/of-agent', 'An agent works in this session for another one: name another session in the schedule.');
  if (record.closedAt !== undefined) throw new DomainError('session/closed', 'The session is closed: name another one in the schedule.');
  if (agent && record.agent?.name !== agent.name) throw new DomainError('session/other-agent', `The session has ${record.agent ? `the agent ${record.agent.name}` : "the tenant's own agent"}, and keeps to it.`);
  return record;
}

/** An attempt before this one may have put it, with the prompt as it was then: that one counts. */
async function putOnce(messages: SessionMessages, session: SessionRef, message: Parameters<SessionMessages['put']>[1]): Promise<void> {
  try {
    await messages.put(session, message);
  } catch (error) {
    if (codeOf(error) !== 'idempotency/key-reused') throw error;
  }
}
