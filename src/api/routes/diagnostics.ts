import { Diagnostics, type QueueService } from '../../contracts/diagnostics';
import { taskQueues } from '../../contracts/names';
import type { Dependency } from '../../ports/readiness';
import type { TaskQueues } from '../../ports/task-queues';
import type { TenantListing, TenantRegistry } from '../../ports/tenant-registry';
import { operatorRoute, type Route } from '../route';

export interface DiagnosticsRoutesDeps {
  readonly dependencies: readonly Dependency[];
  readonly registry: TenantRegistry;
  readonly queues: TaskQueues;
  readonly version: string;
}

/** Enough to tell whether workers serve tenants, and few enough to be asked at once. */
const mostTenants = 200;

export const diagnosticsRoutes = (deps: DiagnosticsRoutesDeps): Route[] => [
  operatorRoute({
    method: 'get',
    path: '/api/v1/diagnostics',
    summary: 'Look at what the platform stands on: its services, and who serves its queues',
    permission: 'read:operation',
    response: Diagnostics,
    status: 200,
    async handle() {
      const [dependencies, platform, tenants] = await Promise.all([checked(deps), platformQueues(deps), tenantQueues(deps)]);
      return { body: { version: deps.version, dependencies, queues: [...platform, ...tenants.unserved], tenants: tenants.seen } };
    },
  }),
];

/** The registry stands for AWS: nothing works without it. */
function checked({ dependencies, registry }: DiagnosticsRoutesDeps) {
  const aws: Dependency = { name: 'aws', check: () => registry.list({ limit: 1 }).then(() => undefined) };
  return Promise.all(
    [...dependencies, aws].map(async (dependency) => {
      const { name } = dependency;
      const detail = await dependency.check().then(
        () => 'answers',
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      return { name, ok: detail === 'answers', detail };
    }),
  );
}

/** Nothing, when Temporal does not answer: `dependencies` says so. */
const orNone = (services: Promise<QueueService[]>): Promise<QueueService[]> => services.catch(() => []);

const platformQueues = ({ queues }: DiagnosticsRoutesDeps): Promise<QueueService[]> =>
  orNone(Promise.all([queues.serviceOf(taskQueues.sessions, 'workflows'), queues.serviceOf(taskQueues.lifecycle, 'activities')]));

async function tenantQueues({ registry, queues }: DiagnosticsRoutesDeps) {
  const { tenants, unreadable, nextCursor } = await registry.list({ limit: mostTenants }).catch((): TenantListing => ({ tenants: [], unreadable: [] }));
  const working = tenants.filter(({ status }) => status === 'active');
  const services = await orNone(Promise.all(working.map(({ tenantId }) => queues.serviceOf(taskQueues.tenant(tenantId), 'activities'))));
  return { unserved: services.filter(({ pollers }) => pollers === 0), seen: { checked: services.length, isComplete: nextCursor === undefined, ...(unreadable.length > 0 && { unreadable: [...unreadable] }) } };
}
