import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import { ProbeResult } from '../../contracts/isolation';
import { MaintenanceReport, MaintenanceView, PlatformJobRequest } from '../../contracts/maintenance';
import { type MaintenanceJobName, maintenanceJobs, platformOwner } from '../../contracts/names';
import { TenantId } from '../../contracts/tenant';
import { writtenText } from '../../contracts/written-text';
import { jobsOf, pauseNote, resumeNote } from '../../domain/maintenance';
import type { ProbeResults } from '../../ports/isolation-probe';
import type { Reports } from '../../ports/reports';
import type { Schedules, ScheduleState } from '../../ports/schedules';
import { InvalidRequest } from '../problem';
import { type Caller, operatorRoute, type Route } from '../route';
import { pageOf, pageOfList } from './paging';
import { TenantPath } from './paths';

const JobPath = z.object({ name: z.enum(Object.keys(maintenanceJobs) as [MaintenanceJobName, ...MaintenanceJobName[]]) });
const Owner = z.object({ tenantId: TenantId.optional().describe("a tenant's jobs; the platform's without it") });
const Steer = Owner.extend({ reason: writtenText({ max: 500 }) }).strict();

export interface MaintenanceRoutesDeps {
  readonly schedules: Schedules;
  readonly reports: Reports;
  readonly probeResults: ProbeResults;
}

const ownerOf = ({ tenantId }: { tenantId?: string | undefined }): string => tenantId ?? platformOwner;
const whoIs = ({ userId }: Caller): string => `operator ${userId}`;

/** What runs by the clock, of the platform or of one tenant. */
export const maintenanceRoutes = (deps: MaintenanceRoutesDeps): Route[] => [...readingRoutes(deps), probeRoute(deps), ...steeringRoutes(deps)];

const readingRoutes = (deps: MaintenanceRoutesDeps): Route[] => [
  operatorRoute({
    method: 'get',
    path: '/api/v1/maintenance',
    summary: "Show what runs by the clock, of the platform or of one tenant: whether it is paused, its next and its last run",
    permission: 'read:maintenance',
    query: Owner,
    response: z.object({ data: z.array(MaintenanceView) }),
    status: 200,
    async handle({ query }) {
      const owner = ownerOf(query);
      const states = await deps.schedules.list(owner);
      return { body: { data: await Promise.all(states.map((state) => viewOf(deps, owner, state))) } };
    },
  }),
  operatorRoute({
    method: 'get',
    path: '/api/v1/maintenance/{name}/reports',
    summary: "List what the runs of one of the platform's jobs found, newest first",
    permission: 'read:maintenance',
    params: JobPath,
    query: pageOfList('reports'),
    response: pageOf(MaintenanceReport),
    status: 200,
    async handle({ params: { name }, query }) {
      if (!jobsOf(platformOwner).has(name)) throw new DomainError('maintenance/not-found', `The platform has no job ${name}: jobs of tenants write no reports.`);
      const { reports: data, ...rest } = await deps.reports.list(name, query);
      return { body: { data, ...rest } };
    },
  }),
];

const probeRoute = ({ probeResults }: MaintenanceRoutesDeps): Route =>
  operatorRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/isolation',
    summary: 'Show what came of it when the tenant last tried to get at another: each attempt, and what answered',
    permission: 'read:maintenance',
    params: TenantPath,
    response: ProbeResult,
    status: 200,
    async handle({ params: { tenantId } }) {
      const result = await probeResults.last(tenantId);
      if (!result) throw new DomainError('maintenance/not-found', `${tenantId} has not been probed yet. Run isolation_probe, or wait for the night.`);
      return { body: result };
    },
  });

const steeringRoutes = (deps: MaintenanceRoutesDeps): Route[] => [
  operatorRoute({
    method: 'post',
    path: '/api/v1/maintenance/{name}/run',
    summary: 'Run a job now, whether it is paused or not',
    permission: 'write:maintenance',
    params: JobPath,
    body: PlatformJobRequest.extend(Steer.shape),
    response: MaintenanceView,
    status: 202,
    async handle({ params: { name }, body: { reason, tenantId, ...request }, caller, logger }) {
      if (tenantId !== undefined && Object.keys(request).length > 0)
        throw new InvalidRequest([{ path: 'body', message: "a tenant's job takes a reason only" }], 'request/inconsistent');
      const owner = ownerOf({ tenantId });
      const lastRun = await deps.schedules.run(owner, name, { who: whoIs(caller), why: reason, request });
      logger.info({ job: name, owner, who: whoIs(caller), why: reason, workflowId: lastRun.workflowId }, 'maintenance is run by hand');
      const location = `/api/v1/maintenance${tenantId === undefined ? '' : `?tenantId=${tenantId}`}`;
      return { headers: { location }, body: { ...(await mustView(deps, owner, name)), lastRun } };
    },
  }),
  steeringRoute(deps, 'pause', 'Pause a job: it stays paused until it is resumed, over restarts and deploys too', pauseNote),
  steeringRoute(deps, 'resume', 'Let a job run by the clock again', resumeNote),
];

const steeringRoute = (deps: MaintenanceRoutesDeps, verb: 'pause' | 'resume', summary: string, noteOf: (who: string, why: string) => string): Route =>
  operatorRoute({
    method: 'post',
    path: `/api/v1/maintenance/{name}/${verb}`,
    summary,
    permission: 'write:maintenance',
    params: JobPath,
    body: Steer,
    response: MaintenanceView,
    status: 200,
    async handle({ params: { name }, body, caller }) {
      await deps.schedules[verb](ownerOf(body), name, noteOf(whoIs(caller), body.reason));
      return { body: await mustView(deps, ownerOf(body), name) };
    },
  });

async function mustView(deps: MaintenanceRoutesDeps, owner: string, name: MaintenanceJobName): Promise<MaintenanceView> {
  const state = (await deps.schedules.list(owner)).find((one) => one.name === name);
  if (!state) throw new DomainError('maintenance/not-found', `There is no schedule ${name} of ${owner}.`);
  return viewOf(deps, owner, state);
}

async function viewOf({ schedules, reports }: MaintenanceRoutesDeps, owner: string, { name, paused, note, nextRunAt }: ScheduleState): Promise<MaintenanceView> {
  const [lastRun, latest] = await Promise.all([schedules.lastRun(owner, name), owner === platformOwner ? reports.list(name, { limit: 1 }) : undefined]);
  const report = latest?.reports[0];
  return {
    name,
    ...(owner !== platformOwner && { tenantId: owner }),
    summary: jobsOf(owner).get(name)?.summary ?? '',
    paused,
    note,
    ...(nextRunAt !== undefined && { nextRunAt }),
    ...(lastRun && { lastRun }),
    ...(report && { lastReport: { ...report, findings: report.findings.length + report.omitted } }),
  };
}
