import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import { idFor } from '../../contracts/ids';
import { AgentSchedule, Prompt, ScheduledRun, ScheduleName, ScheduleSettings } from '../../contracts/schedule';
import type { ServedTenant } from '../../contracts/tenant';
import type { Tiers } from '../../contracts/tiers';
import { writtenText } from '../../contracts/written-text';
import { partsOf, pinOf } from '../../domain/agents';
import { inParallel } from '../../domain/in-parallel';
import { isPausedByOperation, resumeNote } from '../../domain/maintenance';
import { omit } from '../../domain/omit';
import { mustBeSameRequest } from '../../domain/same-request';
import { checkedSettings, hasEnded, mustHaveRoomFor, onceAt, pausedNote } from '../../domain/schedules';
import { definitionOf } from '../../domain/tiers';
import type { AgentClock, AgentClockState, AgentSchedules } from '../../ports/agent-schedules';
import type { Agents } from '../../ports/agents';
import type { SessionDirectory } from '../../ports/session-store';
import { checkMessage, type PlaceDeps } from '../place-limits';
import { type Caller, type Route, tenantRoute } from '../route';
import { pageOf, pageOfList } from './paging';
import { TenantPath } from './paths';

const SchedulePath = TenantPath.extend({ schedule: ScheduleName });

const ShownSchedule = AgentSchedule.omit({ requestId: true, requestDigest: true, revision: true }).extend({
  /** `ended`: it was to run once, and has. */
  state: z.enum(['active', 'paused', 'ended']),
  /** Who paused or resumed it last, and why. */
  note: z.string().optional(),
  nextRunAt: z.iso.datetime().optional(),
  /** Of one that is shown by itself. */
  prompt: z.string().optional(),
});
type ShownSchedule = z.input<typeof ShownSchedule>;

/** Schedules of which Temporal is asked at once. */
const askedAtOnce = 20;

export interface ScheduleRoutesDeps extends PlaceDeps {
  readonly agentSchedules: AgentSchedules;
  readonly agentClock: AgentClock;
  readonly agents: Pick<Agents, 'get'>;
  readonly sessions: Pick<SessionDirectory, 'get'>;
  readonly tiers: Tiers;
}

export const scheduleRoutes = (deps: ScheduleRoutesDeps): Route[] => [...savingRoutes(deps), ...readingRoutes(deps), ...steeringRoutes(deps), ...runRoutes(deps)];

const savingRoutes = (deps: ScheduleRoutesDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/schedules',
    idempotent: true,
    summary: 'Have an agent given a prompt by the clock, in your name',
    permission: 'write:schedule',
    params: TenantPath,
    body: ScheduleSettings.extend({ name: ScheduleName, prompt: Prompt }),
    response: ShownSchedule,
    status: 201,
    async handle({ params: { tenantId }, body: { name, prompt, ...settings }, caller, tenant, idempotencyKey, requestDigest }) {
      const requestId = idFor('request', idempotencyKey, tenantId, 'schedule', name, caller.userId);
      const there = await deps.agentSchedules.get(tenantId, name);
      const isRepeated = there?.requestId === requestId;
      if (isRepeated) mustBeSameRequest(there.requestDigest, requestDigest);
      const origin = { name, userId: caller.userId, requestId, requestDigest };
      const schedule = isRepeated ? there : await made(deps, tenant, { ...(await checked(deps, tenant, caller, { settings, prompt })), ...origin }, prompt);
      await setOrForget(deps, tenantId, schedule);
      return { headers: { location: `/api/v1/tenants/${tenantId}/schedules/${name}` }, body: await shown(deps, tenantId, schedule) };
    },
  }),
  tenantRoute({
    method: 'put',
    path: '/api/v1/tenants/{tenantId}/schedules/{schedule}',
    summary: 'Change a schedule of yours, from its next run on; a prompt that is left out stays',
    permission: 'write:schedule',
    params: SchedulePath,
    body: ScheduleSettings.extend({ prompt: Prompt.optional() }),
    response: ShownSchedule,
    status: 200,
    async handle({ params, body: { prompt, ...settings }, caller, tenant }) {
      const { tenantId } = params;
      const before = await mustFind(deps, params, caller, 'write:any-schedule');
      // Its runs speak for who made it: nobody else may put words into that mouth.
      if (before.userId !== caller.userId) throw new DomainError('auth/forbidden', 'Only who made a schedule may change what it does. You may pause or delete it.');
      const next = { ...omit(before, 'agent', 'sessionId'), ...(await checked(deps, tenant, caller, { settings, prompt })) };
      const schedule = await deps.agentSchedules.replace(tenantId, next, prompt);
      await deps.agentClock.set(tenantId, schedule, pausedNote(schedule));
      return { body: await shown(deps, tenantId, schedule) };
    },
  }),
  tenantRoute({
    method: 'delete',
    path: '/api/v1/tenants/{tenantId}/schedules/{schedule}',
    summary: 'Delete a schedule, and what is told of its runs; one that is under way goes on',
    permission: 'write:schedule',
    params: SchedulePath,
    response: z.object({}),
    status: 204,
    async handle({ params, caller }) {
      const { tenantId } = params;
      const { name } = await mustFind(deps, params, caller, 'write:any-schedule');
      await deps.agentClock.delete(tenantId, name, false);
      await deps.agentSchedules.delete(tenantId, name);
      return { status: 204 };
    },
  }),
];

const readingRoutes = (deps: ScheduleRoutesDeps): Route[] => [
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/schedules',
    summary: "List your schedules; who may read any session sees everybody's",
    permission: 'read:session',
    params: TenantPath,
    response: z.object({ data: z.array(ShownSchedule) }),
    status: 200,
    async handle({ params: { tenantId }, caller }) {
      const all = await deps.agentSchedules.list(tenantId);
      const visible = all.filter(({ userId }) => userId === caller.userId || caller.permissions.has('read:any-session'));
      return { body: { data: await inParallel(visible, askedAtOnce, (one) => shown(deps, tenantId, one)) } };
    },
  }),
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/schedules/{schedule}',
    summary: 'Show a schedule with its prompt',
    permission: 'read:session',
    params: SchedulePath,
    response: ShownSchedule,
    status: 200,
    async handle({ params, caller }) {
      const schedule = await mustFind(deps, params, caller, 'read:any-session');
      const [view, prompt] = await Promise.all([shown(deps, params.tenantId, schedule), deps.agentSchedules.prompt(params.tenantId, schedule.name)]);
      return { body: { ...view, prompt } };
    },
  }),
];

const steeringRoutes = (deps: ScheduleRoutesDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/schedules/{schedule}/pause',
    summary: 'Have a schedule rest until somebody resumes it',
    permission: 'write:schedule',
    params: SchedulePath,
    body: z.strictObject({ reason: writtenText({ max: 300 }) }),
    response: ShownSchedule,
    status: 200,
    async handle({ params, body: { reason }, caller }) {
      const { tenantId } = params;
      const before = await mustFind(deps, params, caller, 'write:any-schedule');
      const schedule = await deps.agentSchedules.replace(tenantId, { ...before, paused: { by: caller.userId, at: new Date().toISOString(), reason } });
      await deps.agentClock.pause(tenantId, schedule.name, pausedNote(schedule) ?? '');
      return { body: await shown(deps, tenantId, schedule) };
    },
  }),
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/schedules/{schedule}/resume',
    summary: 'Let a schedule run by the clock again',
    permission: 'write:schedule',
    params: SchedulePath,
    body: z.strictObject({}),
    response: ShownSchedule,
    status: 200,
    async handle({ params, caller }) {
      const { tenantId } = params;
      const before = await mustFind(deps, params, caller, 'write:any-schedule');
      const schedule = before.paused ? await deps.agentSchedules.replace(tenantId, omit(before, 'paused')) : before;
      // What rests with its tenant goes on with its tenant.
      const state = await deps.agentClock.state(tenantId, schedule.name);
      if (state?.paused && !isPausedByOperation(state.note)) await deps.agentClock.resume(tenantId, schedule.name, resumeNote(`user ${caller.userId}`, 'by request'));
      return { body: await shown(deps, tenantId, schedule) };
    },
  }),
];

const runRoutes = (deps: ScheduleRoutesDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/schedules/{schedule}/runs',
    idempotent: true,
    summary: 'Run it now, whether it is paused or not, and beside a run that is under way',
    permission: 'write:schedule',
    params: SchedulePath,
    body: z.strictObject({}),
    response: ScheduledRun,
    status: 202,
    async handle({ params, caller, idempotencyKey }) {
      const { tenantId } = params;
      const { name } = await mustFind(deps, params, caller);
      const runId = idFor('run', idempotencyKey, tenantId, name, caller.userId);
      const { startedAt } = await deps.agentClock.run(tenantId, name, { runId, who: `user ${caller.userId}` });
      const run = await deps.agentSchedules.run(tenantId, { schedule: name, runId, startedAt });
      return { headers: { location: `/api/v1/tenants/${tenantId}/schedules/${name}/runs` }, body: run ?? { runId, schedule: name, startedAt, outcome: 'running' as const } };
    },
  }),
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/schedules/{schedule}/runs',
    summary: 'List the runs of a schedule, newest first: how each ended, and in which session',
    permission: 'read:session',
    params: SchedulePath,
    query: pageOfList('byTime'),
    response: pageOf(ScheduledRun),
    status: 200,
    async handle({ params, query, caller }) {
      const { name } = await mustFind(deps, params, caller, 'read:any-session');
      const { runs: data, ...rest } = await deps.agentSchedules.runs(params.tenantId, name, query);
      return { body: { data, ...rest } };
    },
  }),
];

/** @param orBy - the permission that lets somebody else at it, too. @throws DomainError `schedule/not-found`, in the same words for what is another's. */
async function mustFind({ agentSchedules }: ScheduleRoutesDeps, { tenantId, schedule: name }: { tenantId: string; schedule: string }, { userId, permissions }: Caller, orBy?: 'read:any-session' | 'write:any-schedule'): Promise<AgentSchedule> {
  const found = await agentSchedules.get(tenantId, name);
  if (found && (found.userId === userId || (orBy !== undefined && permissions.has(orBy)))) return found;
  throw new DomainError('schedule/not-found', 'There is no such schedule.', { isDenial: found !== undefined });
}

/** @throws DomainError that says why it could never run */
async function checked(deps: ScheduleRoutesDeps, tenant: ServedTenant, { userId }: Caller, { settings, prompt }: { settings: ScheduleSettings; prompt: string | undefined }): Promise<ScheduleSettings> {
  const { tenantId, tier } = tenant;
  if (prompt !== undefined) checkMessage(deps.tiers, tenant, prompt);
  const { agent, sessionId } = settings;
  if (agent !== undefined) pinOf(agent, await deps.agents.get(tenantId, partsOf(agent).name));
  const session = sessionId === undefined ? undefined : await deps.sessions.get({ tenantId, sessionId });
  if (session && session.userId !== userId) throw new DomainError('session/not-found', 'There is no such session.', { isDenial: true });
  if (session?.parent) throw new DomainError('session/of-agent', 'An agent works in this session for another one: name another session.');
  if (session?.closedAt !== undefined) throw new DomainError('session/closed', 'The session is closed: name another one.');
  if (session && agent !== undefined && session.agent?.name !== partsOf(agent).name) throw new DomainError('session/other-agent', 'The session has another agent, and keeps to it.');
  return checkedSettings(settings, definitionOf(deps.tiers, tier), Date.now());
}

type NewSchedule = Pick<AgentSchedule, 'name' | 'userId' | 'requestId' | 'requestDigest'> & ScheduleSettings;

/** @throws DomainError `schedule/exists`, `schedule/too-many` */
async function made({ agentSchedules, tiers }: ScheduleRoutesDeps, { tenantId, tier }: ServedTenant, schedule: NewSchedule, prompt: string): Promise<AgentSchedule> {
  const others = (await agentSchedules.list(tenantId)).filter(({ name }) => name !== schedule.name);
  mustHaveRoomFor(others, schedule.userId, definitionOf(tiers, tier));
  const createdAt = new Date().toISOString();
  return agentSchedules.create(tenantId, { ...schedule, revision: 1, createdAt, updatedAt: createdAt }, prompt);
}

/** What Temporal makes nothing of must not stay. */
async function setOrForget({ agentClock, agentSchedules }: ScheduleRoutesDeps, tenantId: string, schedule: AgentSchedule): Promise<void> {
  try {
    await agentClock.set(tenantId, schedule, pausedNote(schedule));
  } catch (error) {
    if (error instanceof DomainError && error.code === 'schedule/invalid') await agentSchedules.delete(tenantId, schedule.name);
    throw error;
  }
}

async function shown({ agentClock }: ScheduleRoutesDeps, tenantId: string, schedule: AgentSchedule): Promise<ShownSchedule> {
  const state = await agentClock.state(tenantId, schedule.name);
  const isPaused = schedule.paused !== undefined || state?.paused === true;
  return {
    ...omit(schedule, 'requestId', 'requestDigest', 'revision'),
    state: hasEnded(schedule, Date.now()) || isDone(schedule, state) ? 'ended' : isPaused ? 'paused' : 'active',
    ...(state && { note: state.note }),
    ...(state?.nextRunAt !== undefined && { nextRunAt: state.nextRunAt }),
  };
}

/** It was to run once, and Temporal has nothing more to do for it. */
const isDone = ({ times }: AgentSchedule, state: AgentClockState | undefined): boolean => 'at' in times && onceAt(times) <= Date.now() && state?.paused === false && state.nextRunAt === undefined;
