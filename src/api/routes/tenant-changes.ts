import { z } from 'zod';
import type { OperationKind } from '../../contracts/names';
import { Operation, type OperationRequests, SuspendTurns } from '../../contracts/operation';
import { AgentSettings, Tier } from '../../contracts/tenant';
import type { Agents } from '../../ports/agents';
import type { Operations } from '../../ports/operations';
import { accepted, operationIdFor } from '../accepted-operation';
import { checkAgent } from '../agent-check';
import { checkCalledAgents } from '../called-agents';
import { operatorRoute, type Route } from '../route';
import { TenantPath } from './paths';

export interface TenantChangeRoutesDeps {
  readonly agents: Agents;
  readonly operations: Operations;
  readonly toolNames: readonly string[];
}

const secondsPerDay = 86_400;

/** What operators do to a tenant that works: each begins an operation. */
export const tenantChangeRoutes = ({ agents, operations, toolNames }: TenantChangeRoutesDeps): Route[] => {
  /** Where a kind of change is asked for, with what, and what its operation is asked. */
  const change = <Kind extends OperationKind, Body extends z.ZodType>(definition: {
    readonly kind: Kind;
    readonly path: string;
    readonly summary: string;
    readonly body: Body;
    readonly request: (tenantId: string, body: z.output<Body>) => OperationRequests[Kind] | Promise<OperationRequests[Kind]>;
  }): Route =>
    operatorRoute({
      method: 'post',
      path: `/api/v1/tenants/{tenantId}/${definition.path}`,
      idempotent: true,
      summary: definition.summary,
      permission: 'write:tenant',
      params: TenantPath,
      body: definition.body,
      response: Operation,
      status: 202,
      async handle({ params: { tenantId }, body, idempotencyKey }) {
        const { kind, request } = definition;
        return accepted(await operations.start(kind, operationIdFor(kind, tenantId, idempotencyKey), await request(tenantId, body)));
      },
    });

  return [
    change({
      kind: 'suspension',
      path: 'suspend',
      summary: 'Suspend a tenant: new messages are refused, running turns finish or pause, schedules pause; nothing is lost',
      body: z.strictObject({ turns: SuspendTurns.default('finish') }),
      request: (tenantId, { turns }) => ({ tenantId, turns }),
    }),
    change({
      kind: 'resumption',
      path: 'resume',
      summary: 'Resume a suspended tenant: its sessions go on where they rest',
      body: z.strictObject({}),
      request: (tenantId) => ({ tenantId }),
    }),
    change({
      kind: 'tierChange',
      path: 'tier',
      summary: 'Move a tenant to another tier: its request rate and slots change while it works; refused when its agent does not fit',
      body: z.strictObject({ tier: Tier }),
      request: (tenantId, { tier }) => ({ tenantId, tier }),
    }),
    change({
      kind: 'configurationChange',
      path: 'configuration',
      summary: "Replace the tenant's agent, within what its tier allows; running turns finish as they began",
      body: z.strictObject({ agent: AgentSettings }),
      async request(tenantId, { agent }) {
        checkAgent(agent, toolNames);
        await checkCalledAgents(agents, tenantId, agent);
        return { tenantId, agent };
      },
    }),
    change({
      kind: 'keyRotation',
      path: 'rotate-key',
      summary: "Rotate the tenant's key: new key material and new data keys; all that was encrypted stays readable",
      body: z.strictObject({}),
      request: (tenantId) => ({ tenantId }),
    }),
    change({
      kind: 'clientRotation',
      path: 'rotate-client',
      summary: "Give the tenant's users another app client; tokens of both are accepted for a while, then the old one is deleted",
      body: z.strictObject({ overlapSeconds: z.number().int().min(0).max(30 * secondsPerDay).default(3_600) }),
      request: (tenantId, { overlapSeconds }) => ({ tenantId, overlapSeconds }),
    }),
  ];
};
