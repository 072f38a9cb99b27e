import { z } from 'zod';
import { OwnedResource } from '../../contracts/inventory';
import { DrainPolicy, type OffboardingRequest, Operation } from '../../contracts/operation';
import { Administrator, AgentSettings, RequestRate, TenantId, TenantRecord, tenantStatuses, Tier } from '../../contracts/tenant';
import { DomainError } from '../../contracts/errors';
import type { Tiers } from '../../contracts/tiers';
import { writtenText } from '../../contracts/written-text';
import { mustAllow, mustKnowTier } from '../../domain/tiers';
import type { Operations } from '../../ports/operations';
import type { TenantInventory } from '../../ports/tenant-inventory';
import type { TenantRegistry } from '../../ports/tenant-registry';
import { checkAgent } from '../agent-check';
import { accepted, operationIdFor } from '../accepted-operation';
import { operatorRoute, type Route } from '../route';
import { queryBoolean, queryInteger } from '../query-values';
import { pageOf, pageOfList } from './paging';
import { TenantPath } from './paths';

const CreateTenant = z.strictObject({
  tenantId: TenantId,
  displayName: z.string().min(1).max(200).optional(),
  tier: Tier.default('standard'),
  rate: RequestRate.strict().optional(),
  administrator: Administrator.strict(),
  agent: AgentSettings.prefault({}),
});

const secondsPerDay = 86_400;

const Offboard = z.strictObject({
  graceSeconds: queryInteger({ min: 0, max: 90 * secondsPerDay }).default(7 * secondsPerDay),
  /** What becomes of turns that run. */
  drainPolicy: DrainPolicy.default('wait'),
  /** How long they may take with the policy `wait`. */
  drainSeconds: queryInteger({ min: 0, max: secondsPerDay }).default(300),
  /** Deletes without having restored the backup on trial; the certificate says so. */
  skipRehearsal: queryBoolean.default(false),
  /** Of the tenant's closed sessions, in Temporal. */
  deleteHistories: queryBoolean.default(false),
  /** For a tenant whose key is lost, of which no backup can be taken; refused while its key works. */
  withoutBackup: queryBoolean.default(false),
  /** Why it is given up; the certificate has it. */
  reason: writtenText({ min: 10, max: 500 }).optional(),
}).refine(({ withoutBackup, reason }) => withoutBackup === (reason !== undefined), { path: ['reason'], message: 'goes with withoutBackup=true: say why the data are given up' });


export interface TenantRoutesDeps {
  readonly registry: TenantRegistry;
  readonly operations: Operations;
  readonly inventory: TenantInventory;
  readonly toolNames: readonly string[];
  readonly tiers: Tiers;
}

export const tenantRoutes = ({ registry, operations, inventory, toolNames, tiers }: TenantRoutesDeps): Route[] => [
  operatorRoute({
    method: 'post',
    path: '/api/v1/tenants',
    idempotent: true,
    summary: 'Onboard a tenant',
    permission: 'write:tenant',
    body: CreateTenant,
    response: Operation,
    status: 202,
    async handle({ body, idempotencyKey }) {
      mustKnowTier(tiers, body.tier);
      checkAgent(body.agent, toolNames);
      if ((body.agent.agents ?? []).length > 0) throw new DomainError('agent/invalid', 'agents: a new tenant has none yet. Make them, then name them in its configuration.');
      mustAllow(tiers, body.tier, body.agent);
      const { displayName = body.tenantId, rate, ...request } = body;
      const operationId = operationIdFor('onboarding', body.tenantId, idempotencyKey);
      return accepted(await operations.start('onboarding', operationId, { ...request, displayName, ...(rate && { rate }) }));
    },
  }),
  operatorRoute({
    method: 'get',
    path: '/api/v1/tenants',
    summary: 'List tenants, or those of one status: status=deleted for the tombstones',
    permission: 'read:tenant',
    query: pageOfList('tenants').extend({ status: z.enum(tenantStatuses).optional() }),
    response: pageOf(TenantRecord),
    status: 200,
    async handle({ query }) {
      const { tenants, nextCursor } = await registry.list(query);
      // Those of rehearsals are nobody's: see their operations.
      return { body: { data: tenants.filter(({ status }) => status !== 'scratch'), ...(nextCursor !== undefined && { nextCursor }) } };
    },
  }),
  operatorRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}',
    summary: 'Show a tenant',
    permission: 'read:tenant',
    params: TenantPath,
    response: TenantRecord,
    status: 200,
    async handle({ params: { tenantId } }) {
      const tenant = await registry.get(tenantId);
      if (!tenant) throw new DomainError('tenant/not-found', `There is no tenant ${tenantId}.`);
      return { body: tenant };
    },
  }),
  operatorRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/inventory',
    summary: 'List everything that bears the name or tag of a tenant, in every service; nothing of it is remembered, all is looked for now',
    permission: 'read:tenant',
    params: TenantPath,
    response: z.object({ data: z.array(OwnedResource) }),
    status: 200,
    handle: async ({ params: { tenantId } }) => ({ body: { data: await inventory.list(tenantId) } }),
  }),
  operatorRoute({
    method: 'delete',
    path: '/api/v1/tenants/{tenantId}',
    idempotent: true,
    summary: 'Offboard a tenant: back it up, verify the backup, wait, delete everything; withoutBackup=true with a reason for one whose key is lost',
    permission: 'write:tenant',
    params: TenantPath,
    query: Offboard,
    response: Operation,
    status: 202,
    async handle({ params: { tenantId }, query, caller, idempotencyKey }) {
      const request = offboardingOf(tenantId, query, caller.userId);
      return accepted(await operations.start('offboarding', operationIdFor('offboarding', tenantId, idempotencyKey), request));
    },
  }),
];

const offboardingOf = (tenantId: string, query: z.output<typeof Offboard>, requestedBy: string): OffboardingRequest => ({
  tenantId,
  graceSeconds: query.graceSeconds,
  drain: { policy: query.drainPolicy, seconds: query.drainPolicy === 'wait' ? query.drainSeconds : 0 },
  rehearsal: query.skipRehearsal ? 'skipped' : 'required',
  histories: query.deleteHistories ? 'deleted' : 'kept',
  ...(query.withoutBackup && query.reason !== undefined && { withoutBackup: { reason: query.reason } }),
  requestedBy,
});
