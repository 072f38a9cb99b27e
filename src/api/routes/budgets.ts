import { z } from 'zod';
import { BudgetCounter, type BudgetLevel, budgetLevels, Budgets } from '../../contracts/budget';
import { DomainError } from '../../contracts/errors';
import { budgetCounters } from '../../contracts/names';
import { SessionId } from '../../contracts/session';
import type { TenantRecord } from '../../contracts/tenant';
import type { Tiers } from '../../contracts/tiers';
import { budgetsInForce } from '../../domain/budgets';
import { definitionOf } from '../../domain/tiers';
import type { AgentConfigs } from '../../ports/agent-configs';
import type { BudgetLedger } from '../../ports/budget-ledger';
import type { TenantRegistry } from '../../ports/tenant-registry';
import type { WaitingSessions } from '../../ports/waiting-sessions';
import { etagOf, seenRevision } from '../revisions';
import { type Route, type RouteInput, sharedRoute } from '../route';
import { TenantPath } from './paths';

const Query = z.object({
  userId: z.string().min(1).max(128).optional().describe("whose day's budget to show, too"),
  sessionId: SessionId.optional().describe('whose budget to show, too'),
});

const BudgetReport = z.object({
  tenantId: z.string(),
  /** Goes up with each change of what operators or administrators have set; the ETag. */
  revision: z.number().int(),
  /** Of the tenant's tier, for tenants without an operator's. */
  tier: Budgets,
  operator: Budgets,
  administrator: Budgets,
  /** Of the tenant's own agent. */
  agent: Budgets,
  /** What holds: the operator's in place of the tier's, and no more than the others allow. */
  inForce: Budgets,
  /** Of the current day and month, UTC; counted since there is a limit. */
  spent: z.partialRecord(z.enum(budgetLevels), BudgetCounter),
});

export interface BudgetRoutesDeps {
  readonly registry: TenantRegistry;
  readonly configs: AgentConfigs;
  readonly tiers: Tiers;
  readonly budgetLedger: BudgetLedger;
  readonly waitingSessions: WaitingSessions;
  readonly tierHeardAfterMs: number;
}

/** Who runs tenants sets the limits that replace the tier's; who runs one tenant, limits within those. */
const isOperator = ({ caller }: Pick<RouteInput<unknown, unknown, unknown>, 'caller'>): boolean => caller.permissions.has('write:tenant');

export const budgetRoutes = (deps: BudgetRoutesDeps): Route[] => [
  sharedRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/budgets',
    summary: "Show the tenant's budgets, who has set what, and what was spent of them; the ETag is for If-Match",
    permission: 'read:usage',
    params: TenantPath,
    query: Query,
    response: BudgetReport,
    status: 200,
    tellsRevision: true,
    async handle({ params: { tenantId }, query }) {
      return replyWith(await reportOf(deps, await recordOf(deps, tenantId), query));
    },
  }),
  sharedRoute({
    method: 'put',
    path: '/api/v1/tenants/{tenantId}/budgets',
    summary: 'Replace the budgets: an operator those of the tenant in place of its tier, an administrator those within them; turns that wait go on when there is enough',
    permission: 'write:budget',
    params: TenantPath,
    body: Budgets,
    response: BudgetReport,
    status: 200,
    tellsRevision: true,
    heedsRevision: true,
    async handle(input) {
      const { tenantId } = input.params;
      await recordOf(deps, tenantId);
      const record = await deps.registry.setBudgets(tenantId, { side: isOperator(input) ? 'operatorBudgets' : 'ownBudgets', budgets: input.body, seenRevision: seenRevision(input.header('if-match')) });
      await deps.waitingSessions.budgetChanged(tenantId, deps.tierHeardAfterMs);
      return replyWith(await reportOf(deps, record, {}));
    },
  }),
];

const replyWith = (report: z.input<typeof BudgetReport>) => ({ headers: etagOf(report), body: report });

async function recordOf({ registry }: BudgetRoutesDeps, tenantId: string): Promise<TenantRecord> {
  const record = await registry.get(tenantId);
  if (!record || record.status === 'deleted') throw new DomainError('tenant/not-found', `There is no tenant ${tenantId}.`);
  if (!record.infrastructure) throw new DomainError('tenant/not-active', `Tenant ${tenantId} is ${record.status}.`);
  return record;
}

async function reportOf({ configs, tiers, budgetLedger: ledger }: BudgetRoutesDeps, record: TenantRecord, { userId, sessionId }: z.output<typeof Query>): Promise<z.input<typeof BudgetReport>> {
  const { tenantId, operatorBudgets: operator = {}, ownBudgets: own = {}, budgetsRevision: revision = 0 } = record;
  const { budgets: agent = {} } = await configs.get(tenantId);
  const tier = definitionOf(tiers, record.tier).budgets ?? {};
  const { limits, onExhausted, longestPauseMs } = budgetsInForce({ tier, operator, own, agent });
  const now = new Date().toISOString();
  const asked: readonly (readonly [BudgetLevel, string])[] = [
    ['tenantDay', budgetCounters.tenantDay(now)],
    ['tenantMonth', budgetCounters.tenantMonth(now)],
    ...(userId === undefined ? [] : [['userDay', budgetCounters.userDay(userId, now)] as const]),
    ...(sessionId === undefined ? [] : [['session', budgetCounters.session(sessionId)] as const]),
  ];
  const counters = await ledger.counters(tenantId, asked.map(([, counter]) => counter));
  const spent = Object.fromEntries(asked.map(([level, counter]) => [level, counters[counter]]));
  return { tenantId, revision, tier, operator, administrator: own, agent, inForce: { ...limits, onExhausted, longestPauseSeconds: longestPauseMs / 1_000 }, spent };
}
