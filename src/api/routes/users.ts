import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import { platformOwner } from '../../contracts/names';
import { roles, tenantRoles } from '../../domain/permissions';
import type { AccessStore } from '../../ports/access';
import type { SignInPlaces } from '../../ports/identity';
import type { PageRequest } from '../../ports/page';
import type { TenantUser, TenantUsers } from '../../ports/provisioning';
import { operatorRoute, type Route, sharedRoute } from '../route';
import { pageOf, pageOfList } from './paging';
import { TenantPath, UserId } from './paths';

const UserPath = TenantPath.extend({ userId: UserId });

const UserPage = pageOfList('users');
/** Cognito's own largest page. */
const mostUsers = 60;

const User = z.object({
  userId: z.string(),
  email: z.string(),
  roles: z.array(z.string()),
  enabled: z.boolean(),
});
type User = z.infer<typeof User>;

const SignedOut = z.object({
  /** Whoever signed in before is signed out; API keys made before are dead. */
  notBefore: z.iso.datetime(),
});

export interface UserRoutesDeps {
  readonly users: TenantUsers;
  readonly accessStore: AccessStore;
  readonly signInPlaces: SignInPlaces;
}

const userOf = ({ userId, email, groups, enabled }: TenantUser, realm: 'tenant' | 'operator'): User => ({ userId, email, roles: groups.filter((group) => Object.hasOwn(roles[realm], group)), enabled });

async function pageOfUsers(users: TenantUsers, userPoolId: string, { limit, cursor }: PageRequest, realm: 'tenant' | 'operator') {
  const { users: found, ...rest } = await users.list(userPoolId, { limit: Math.min(limit, mostUsers), cursor });
  return { data: found.map((user) => userOf(user, realm)), ...rest };
}

export const userRoutes = (deps: UserRoutesDeps): Route[] => [...directoryRoutes(deps), ...signOutRoutes(deps), ...operatorRoutes(deps)];

/** @throws DomainError `user/not-found` */
async function mustFind(users: TenantUsers, userPoolId: string, userId: string): Promise<TenantUser> {
  const user = await users.get(userPoolId, userId);
  if (!user) throw new DomainError('user/not-found', 'There is no such user.');
  return user;
}

const directoryRoutes = ({ users, accessStore }: UserRoutesDeps): Route[] => [
  sharedRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/users',
    summary: "List the tenant's users and their roles",
    permission: 'read:user',
    params: TenantPath,
    query: UserPage,
    response: pageOf(User),
    status: 200,
    handle: async ({ tenant, query }) => ({ body: await pageOfUsers(users, tenant.infrastructure.userPoolId, query, 'tenant') }),
  }),
  sharedRoute({
    method: 'put',
    path: '/api/v1/tenants/{tenantId}/users/{userId}/roles',
    summary: 'Give a user these roles, and no others; it holds from the next request on',
    permission: 'write:user',
    params: UserPath,
    body: z.strictObject({ roles: z.array(z.enum(tenantRoles)).max(tenantRoles.length) }),
    response: User,
    status: 200,
    async handle({ tenant: { tenantId, infrastructure }, params: { userId }, body }) {
      const user = await mustFind(users, infrastructure.userPoolId, userId);
      // First what is asked with each request: a failure in between leaves the user with no more than was decided.
      const groupsSince = new Date().toISOString();
      await accessStore.note(tenantId, userId, { groups: body.roles, groupsSince });
      await users.setGroups(infrastructure.userPoolId, user, { of: tenantRoles, in: body.roles });
      // Once more: tokens minted in between still had the groups of before.
      await accessStore.note(tenantId, userId, { groups: body.roles, groupsSince: new Date().toISOString() });
      return { body: userOf({ ...user, groups: body.roles }, 'tenant') };
    },
  }),
  ...([true, false] as const).map((enabled) =>
    sharedRoute({
      method: 'post',
      path: `/api/v1/tenants/{tenantId}/users/{userId}/${enabled ? 'enable' : 'disable'}`,
      summary: enabled ? 'Let a user in again, who must sign in anew' : 'Keep a user out: tokens and API keys of this user are refused at once, and there is no signing in',
      permission: 'write:user',
      params: UserPath,
      body: z.strictObject({}),
      response: User,
      status: 200,
      async handle({ tenant: { tenantId, infrastructure }, params: { userId } }) {
        const user = await mustFind(users, infrastructure.userPoolId, userId);
        if (!enabled) await accessStore.note(tenantId, userId, { disabled: true });
        await users.setEnabled(infrastructure.userPoolId, user, enabled);
        await accessStore.note(tenantId, userId, enabled ? { disabled: false } : { notBefore: new Date().toISOString() });
        return { body: userOf({ ...user, enabled }, 'tenant') };
      },
    }),
  ),
];

const signOutRoutes = ({ users, accessStore }: UserRoutesDeps): Route[] => [
  sharedRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/users/{userId}/sign-out',
    summary: 'Sign a user out everywhere: tokens and API keys of this user are refused at once',
    permission: 'write:user',
    params: UserPath,
    body: z.strictObject({}),
    response: SignedOut,
    status: 200,
    async handle({ tenant: { tenantId, infrastructure }, params: { userId } }) {
      await users.signOut(infrastructure.userPoolId, await mustFind(users, infrastructure.userPoolId, userId));
      return { body: await marked(accessStore, tenantId, userId) };
    },
  }),
  sharedRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/sign-out',
    summary: 'Sign everybody of a tenant out: all tokens and API keys are refused at once, machine clients until they are rotated',
    permission: 'write:user',
    params: TenantPath,
    body: z.strictObject({}),
    response: SignedOut,
    status: 200,
    handle: async ({ tenant: { tenantId } }) => ({ body: await marked(accessStore, tenantId, undefined) }),
  }),
];

const operatorRoutes = ({ users, accessStore, signInPlaces }: UserRoutesDeps): Route[] => [
  operatorRoute({
    method: 'get',
    path: '/api/v1/operators',
    summary: 'List the operators',
    permission: 'write:operator',
    query: UserPage,
    response: pageOf(User),
    status: 200,
    handle: async ({ query }) => ({ body: await pageOfUsers(users, (await signInPlaces.operators()).userPoolId, query, 'operator') }),
  }),
  operatorRoute({
    method: 'post',
    path: '/api/v1/operators/{userId}/sign-out',
    summary: 'Sign an operator out everywhere',
    permission: 'write:operator',
    params: z.object({ userId: UserId }),
    body: z.strictObject({}),
    response: SignedOut,
    status: 200,
    async handle({ params: { userId } }) {
      const { userPoolId } = await signInPlaces.operators();
      await users.signOut(userPoolId, await mustFind(users, userPoolId, userId));
      return { body: await marked(accessStore, platformOwner, userId) };
    },
  }),
];

/** After Cognito: what it renewed until then was minted before the mark. */
async function marked(accessStore: AccessStore, owner: string, userId: string | undefined): Promise<{ notBefore: string }> {
  const notBefore = new Date().toISOString();
  await accessStore.note(owner, userId, { notBefore });
  return { notBefore };
}
