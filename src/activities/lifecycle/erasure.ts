import { addressDigest } from '../../contracts/address-digest';
import type { ErasedPlace, ErasureSubject } from '../../contracts/erasure';
import { codeOf, DomainError } from '../../contracts/errors';
import type { SessionRecord, SessionRef } from '../../contracts/session';
import { statementOf, withChildren } from '../../domain/erasure';
import { inParallel } from '../../domain/in-parallel';
import type { AgentClock, AgentSchedules } from '../../ports/agent-schedules';
import type { Backups } from '../../ports/backups';
import type { ErasurePlace, ErasureRef, Erasures, ErasureScope } from '../../ports/erasures';
import type { TenantUser, TenantUsers } from '../../ports/provisioning';
import type { SessionDirectory, SessionLog } from '../../ports/session-store';
import type { Sessions } from '../../ports/sessions';
import type { TenantDirectory } from '../../ports/tenant-registry';
import type { UsageStore } from '../../ports/usage';
import { countClosed } from '../maintenance/usage';
import { sessionPages } from '../session-pages';
import { pauses, waiting } from './waiting';

export interface ErasureDeps {
  readonly erasures: Erasures;
  readonly erasurePlaces: readonly ErasurePlace[];
  readonly sessions: SessionDirectory;
  readonly sessionWorkflows: Sessions;
  readonly agentSchedules: AgentSchedules;
  readonly agentClock: AgentClock;
  readonly backups: Backups;
  readonly log: SessionLog;
  readonly usage: UsageStore;
  readonly directory: TenantDirectory;
  readonly users: TenantUsers;
}

const sessionsPerPage = 500;
/** A turn that was cancelled ends within moments; what does not is terminated. */
const endsWithinMs = 30_000;
/** Sessions spoken with at once. */
const sideBySide = 20;

/** What erases a conversation, or a user. */
export const createErasureActivities = (deps: ErasureDeps) => ({
  /** @throws DomainError `session/not-found`: there is no such session to erase. */
  async mustBeErasable({ tenantId, subject }: { tenantId: string; subject: ErasureSubject }): Promise<void> {
    if ('sessionId' in subject && !(await deps.sessions.get({ tenantId, sessionId: subject.sessionId }))) throw new DomainError('session/not-found', 'There is no such session.');
  },

  /** Notes all there is of the subject, outside of the tenant: from then on no restore brings it back. The first note stands. */
  async listErasure({ tenantId, operationId, subject, requestedBy, requestedAt }: ErasureRef & { subject: ErasureSubject; requestedBy: string; requestedAt: string }): Promise<void> {
    if (await deps.erasures.findPlan({ tenantId, operationId })) return;
    // Ended first: no agent opens another session meanwhile.
    await endAll(deps.sessionWorkflows, (await sessionsOf(deps, tenantId, subject)).map(({ sessionId }) => ({ tenantId, sessionId })));
    const scope: ErasureScope = { tenantId, subject, sessions: (await sessionsOf(deps, tenantId, subject)).map(({ sessionId, userId, createdAt }) => ({ sessionId, userId, createdAt })), schedules: await schedulesOf(deps, tenantId, subject) };
    const found = Object.fromEntries(await counted(deps.erasurePlaces, scope)) as Record<ErasurePlace['name'], number>;
    const user = await accountOf(deps, tenantId, subject);
    await deps.erasures.plan({ ...scope, sessions: [...scope.sessions], schedules: [...scope.schedules], operationId, requestedBy, requestedAt, found, ...(user && { addressDigest: addressDigest(operationId, user.email) }) });
  },

  /** Stops what they do, and closes them; one that does not end is terminated. */
  async endErasedSessions(ref: ErasureRef): Promise<void> {
    const { tenantId, sessions } = await planOf(deps, ref);
    await endAll(deps.sessionWorkflows, sessions.map(({ sessionId }) => ({ tenantId, sessionId })));
  },

  /** Takes sessions out of every list, and deletes the schedules, with what runs of them. */
  async hideErased(ref: ErasureRef): Promise<void> {
    const { tenantId, sessions, schedules } = await planOf(deps, ref);
    const { signal, beat } = waiting();
    for (const name of schedules) {
      await deps.agentClock.delete(tenantId, name, true);
      await deps.agentSchedules.delete(tenantId, name);
    }
    for (const session of sessions) {
      signal.throwIfAborted();
      // What it used is billed: it goes with the log otherwise.
      const record = await deps.sessions.get({ tenantId, sessionId: session.sessionId });
      if (record) await countClosed(deps, record);
      await deps.sessions.hide({ tenantId, ...session });
      beat(`${session.sessionId} is in no list`);
    }
  },

  async eraseAt({ place, ...ref }: ErasureRef & { place: ErasurePlace['name'] }): Promise<void> {
    const plan = await planOf(deps, ref);
    await deps.erasurePlaces.find(({ name }) => name === place)?.erase(plan, waiting());
  },

  /**
   * Looks at every place once more, and signs what was found: there is no statement while anything is left.
   * @throws DomainError `erasure/incomplete` that names what is.
   */
  async signErasure(ref: ErasureRef): Promise<void> {
    if (await deps.erasures.find(ref)) return;
    const plan = await planOf(deps, ref);
    const places: ErasedPlace[] = [];
    for (const place of deps.erasurePlaces) {
      const after = await place.count(plan, waiting());
      places.push({ place: place.name, before: plan.found[place.name], after, call: place.call, checkedAt: new Date().toISOString() });
    }
    const left = places.filter(({ after }) => after > 0);
    if (left.length > 0) throw new DomainError('erasure/incomplete', `Still there: ${left.map(({ place, after }) => `${after} in ${place}`).join(', ')}`);
    await deps.erasures.issue(statementOf({ plan, places, backups: await deps.backups.kept(ref.tenantId), issuedAt: new Date().toISOString() }));
  },
});

async function planOf({ erasures }: ErasureDeps, ref: ErasureRef) {
  const plan = await erasures.findPlan(ref);
  if (!plan) throw new Error(`There is no plan of ${ref.operationId}.`);
  return plan;
}

/** Undefined: it is a session, a program, or a user whose account is deleted. */
async function accountOf({ directory, users }: ErasureDeps, tenantId: string, subject: ErasureSubject): Promise<TenantUser | undefined> {
  return 'userId' in subject ? users.get((await directory.built(tenantId)).infrastructure.userPoolId, subject.userId) : undefined;
}

const counted = async (places: readonly ErasurePlace[], scope: ErasureScope): Promise<[ErasurePlace['name'], number][]> => {
  const counts: [ErasurePlace['name'], number][] = [];
  for (const place of places) counts.push([place.name, await place.count(scope, waiting())]);
  return counts;
};

/** A session's, with those that agents work in for it; or a user's. */
async function sessionsOf({ sessions }: ErasureDeps, tenantId: string, subject: ErasureSubject): Promise<SessionRecord[]> {
  if ('userId' in subject) return sessionsOfUser(sessions, tenantId, subject.userId);
  const record = await sessions.get({ tenantId, sessionId: subject.sessionId });
  return record ? withChildren(record, await sessionsOfUser(sessions, tenantId, record.userId)) : [];
}

async function sessionsOfUser(sessions: SessionDirectory, tenantId: string, userId: string): Promise<SessionRecord[]> {
  const found: SessionRecord[] = [];
  for await (const page of sessionPages(sessions, tenantId, { userId, limit: sessionsPerPage })) {
    found.push(...page);
    waiting().beat(`${found.length} sessions`);
  }
  return found;
}

async function schedulesOf({ agentSchedules }: ErasureDeps, tenantId: string, subject: ErasureSubject): Promise<string[]> {
  if ('sessionId' in subject) return [];
  return (await agentSchedules.list(tenantId)).filter(({ userId }) => userId === subject.userId).map(({ name }) => name);
}

const endAll = (workflows: Sessions, sessions: readonly SessionRef[]) => inParallel(sessions, sideBySide, (session) => ended(workflows, session));

/** In order if it can be: then nothing writes to its log any more. */
async function ended(workflows: Sessions, session: SessionRef): Promise<void> {
  const pause = pauses();
  const giveUpAtMs = performance.now() + endsWithinMs;
  while (await workflows.isRunning(session)) {
    waiting().beat(`${session.sessionId} is ending`);
    if (performance.now() > giveUpAtMs) await workflows.terminate(session);
    else await stop(workflows, session);
    await pause();
  }
}

/** A session that does not answer is terminated in time. */
async function stop(workflows: Sessions, session: SessionRef): Promise<void> {
  try {
    await workflows.close(session);
    await workflows.cancel(session);
  } catch (error) {
    if (codeOf(error) !== 'dependency/unavailable') throw error;
  }
}
