import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import { FactSource } from '../../contracts/fact';
import { factIdPattern } from '../../contracts/names';
import { writtenText } from '../../contracts/written-text';
import type { Memory } from '../../ports/memory';
import { type Caller, type Route, tenantRoute } from '../route';
import { pageOf, pageOfList } from './paging';
import { TenantPath, UserId } from './paths';

const FactPath = TenantPath.extend({ factId: z.string().regex(factIdPattern, 'a fact id is mem- and 36-46 letters, digits, _ and -') });

const Fact = z.object({
  factId: z.string(),
  text: z.string(),
  createdAt: z.iso.datetime(),
  /** The turn it was extracted from. Absent: the agent was asked to keep it. */
  source: FactSource.optional(),
});

export interface MemoryRoutesDeps {
  readonly memory: Pick<Memory, 'list' | 'get' | 'correct' | 'forget'>;
}

export const memoryRoutes = ({ memory }: MemoryRoutesDeps): Route[] => [
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/memories',
    summary: 'List what agents remember of you; with write:any-memory of whom you name',
    permission: 'read:memory',
    params: TenantPath,
    query: pageOfList('facts').extend({ userId: UserId.optional() }),
    response: pageOf(Fact),
    status: 200,
    async handle({ params: { tenantId }, query: { userId, ...page }, caller }) {
      if (userId !== undefined && userId !== caller.userId && !caller.permissions.has('write:any-memory')) throw new DomainError('auth/forbidden', "Another user's facts need the permission write:any-memory.");
      const { facts: data, ...rest } = await memory.list({ tenantId, userId: userId ?? caller.userId }, page);
      return { body: { data, ...rest } };
    },
  }),
  tenantRoute({
    method: 'put',
    path: '/api/v1/tenants/{tenantId}/memories/{factId}',
    summary: 'Correct a fact: it keeps its id, and what it said before is gone',
    permission: 'write:memory',
    params: FactPath,
    body: z.strictObject({ text: writtenText({ max: 4_000 }) }),
    response: Fact,
    status: 200,
    async handle({ params: { tenantId, factId }, body: { text }, caller }) {
      await mustBeWithinReach(memory, { tenantId, factId }, caller);
      return { body: await memory.correct(tenantId, factId, text) };
    },
  }),
  tenantRoute({
    method: 'delete',
    path: '/api/v1/tenants/{tenantId}/memories/{factId}',
    summary: 'Have agents forget a fact',
    permission: 'write:memory',
    params: FactPath,
    response: z.object({}),
    status: 204,
    async handle({ params: { tenantId, factId }, caller }) {
      await mustBeWithinReach(memory, { tenantId, factId }, caller);
      await memory.forget(tenantId, factId);
      return { status: 204 };
    },
  }),
];

/** @throws DomainError `memory/not-found`, in the same words for what is another's. */
async function mustBeWithinReach(memory: MemoryRoutesDeps['memory'], { tenantId, factId }: { tenantId: string; factId: string }, { userId, permissions }: Caller): Promise<void> {
  const fact = await memory.get(tenantId, factId);
  if (fact?.userId !== undefined && (fact.userId === userId || permissions.has('write:any-memory'))) return;
  throw new DomainError('memory/not-found', 'There is no such fact.', { isDenial: fact !== undefined });
}
