import { z } from 'zod';
import { type ErasureSubject, SignedErasure } from '../../contracts/erasure';
import { codeOf, DomainError } from '../../contracts/errors';
import { isProgram, operationIdPattern, tenantOfOperation } from '../../contracts/names';
import { Operation } from '../../contracts/operation';
import type { ServedTenant } from '../../contracts/tenant';
import type { Erasures } from '../../ports/erasures';
import type { Operations } from '../../ports/operations';
import type { TenantUsers } from '../../ports/provisioning';
import type { SessionDirectory } from '../../ports/session-store';
import { operationIdFor } from '../accepted-operation';
import type { Conversations } from '../conversations';
import { type Caller, type Reply, type Route, sharedRoute, tenantRoute } from '../route';
import { SessionPath, TenantPath, UserId } from './paths';

const Erasure = z.object({
  /** Absent once Temporal has forgotten it: the statement stays. */
  operation: Operation.optional(),
  /** Absent until all of it is gone. */
  statement: SignedErasure.optional(),
});

export interface ErasureRoutesDeps {
  readonly conversations: Conversations;
  readonly operations: Operations;
  readonly erasures: Pick<Erasures, 'find'>;
  readonly sessions: Pick<SessionDirectory, 'list'>;
  readonly users: Pick<TenantUsers, 'get'>;
}

export const erasureRoutes = (deps: ErasureRoutesDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/erase',
    idempotent: true,
    summary: 'Erase a session of yours, everywhere; it cannot be taken back. With write:erasure of any user',
    permission: 'write:session',
    params: SessionPath,
    body: z.strictObject({}),
    response: Operation,
    status: 202,
    async handle({ params, caller, idempotencyKey }) {
      const { tenantId, sessionId } = params;
      const look = caller.permissions.has('write:erasure') ? deps.conversations.record(params) : deps.conversations.mustOwn(params, caller);
      await look.catch(orWhenAskedFor(deps, tenantId, caller, idempotencyKey));
      return begun(deps, { tenantId, subject: { sessionId } }, caller, idempotencyKey);
    },
  }),
  sharedRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/users/{userId}/erase',
    idempotent: true,
    summary: 'Erase all that is kept of a user: sessions, schedules, facts; it cannot be taken back. The account stays',
    permission: 'write:erasure',
    params: TenantPath.extend({ userId: UserId }),
    body: z.strictObject({}),
    response: Operation,
    status: 202,
    async handle({ params: { tenantId, userId }, tenant, caller, idempotencyKey }) {
      await mustBeKnown(deps, tenant, userId);
      return begun(deps, { tenantId, subject: { userId } }, caller, idempotencyKey);
    },
  }),
  sharedRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/erasures/{operationId}',
    summary: 'Show an erasure you asked for: its steps, and once all is gone the signed statement; with write:erasure any of the tenant',
    permission: 'read:erasure',
    params: TenantPath.extend({ operationId: z.string().regex(operationIdPattern, 'not an operation id') }),
    response: Erasure,
    status: 200,
    async handle({ params: { tenantId, operationId }, caller }) {
      if (!operationId.startsWith('erasure_') || tenantOfOperation(operationId) !== tenantId) throw notFound();
      const [operation, statement] = await Promise.all([deps.operations.get(operationId), deps.erasures.find({ tenantId, operationId })]);
      const requestedBy = statement?.statement.requestedBy ?? operation?.erasure?.requestedBy;
      if (requestedBy === undefined) throw notFound();
      if (requestedBy !== caller.userId && !caller.permissions.has('write:erasure')) throw notFound(true);
      return { body: { ...(operation && { operation }), ...(statement && { statement }) } };
    },
  }),
];

const notFound = (isDenial = false) => new DomainError('erasure/not-found', 'There is no such erasure.', { isDenial });

/** For a `catch`: what was erased is not there. Whoever asked for that, and asks again under the same key, is answered as before. */
const orWhenAskedFor =
  ({ operations }: ErasureRoutesDeps, tenantId: string, { userId }: Caller, key: string | undefined) =>
  async (error: unknown): Promise<void> => {
    const asked = key === undefined || codeOf(error) !== 'session/not-found' ? undefined : await operations.get(operationIdFor('erasure', tenantId, key, userId));
    if (asked?.erasure?.requestedBy !== userId) throw error;
  };

async function begun({ operations }: ErasureRoutesDeps, of: { tenantId: string; subject: ErasureSubject }, { userId: requestedBy }: Caller, key: string | undefined): Promise<Reply<Operation>> {
  const operation = await operations.start('erasure', operationIdFor('erasure', of.tenantId, key, requestedBy), { ...of, requestedBy });
  return { headers: { location: `/api/v1/tenants/${of.tenantId}/erasures/${operation.operationId}` }, body: operation };
}

/** Whoever has an account, or had one and left something. @throws DomainError `user/not-found` */
async function mustBeKnown({ users, sessions }: ErasureRoutesDeps, { tenantId, infrastructure }: ServedTenant, userId: string): Promise<void> {
  if (isProgram(userId) || (await users.get(infrastructure.userPoolId, userId))) return;
  if ((await sessions.list(tenantId, { userId, limit: 1 })).sessions.length === 0) throw new DomainError('user/not-found', 'There is no such user.');
}
