import { codeOf, DomainError } from '../../contracts/errors';
import { SignIn } from '../../contracts/sign-in';
import type { SignInPlaces } from '../../ports/identity';
import type { TenantDirectory } from '../../ports/tenant-registry';
import { publicRoute, type Route } from '../route';
import { TenantPath } from './paths';

export interface SignInRoutesDeps {
  readonly signInPlaces: SignInPlaces;
  readonly directory: TenantDirectory;
}

/** Clients without a token ask here where they get one. See docs/decisions/0037-sign-in.md. */
export const signInRoutes = ({ signInPlaces, directory }: SignInRoutesDeps): Route[] => [
  publicRoute({
    method: 'get',
    path: '/api/v1/sign-in',
    summary: 'Where operators sign in',
    response: SignIn,
    status: 200,
    handle: async () => ({ body: await signInPlaces.operators() }),
  }),
  publicRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/sign-in',
    summary: "Where a tenant's users sign in",
    params: TenantPath,
    response: SignIn,
    status: 200,
    handle: async ({ params: { tenantId } }) => ({ body: signInPlaces.tenant(await poolOf(directory, tenantId)) }),
  }),
];

/** One that is not built yet, or was deleted, answers as one that never was. */
async function poolOf(directory: TenantDirectory, tenantId: string) {
  try {
    return (await directory.built(tenantId)).infrastructure;
  } catch (error) {
    if (codeOf(error) === 'tenant/not-active') throw new DomainError('tenant/not-found', `There is no tenant ${tenantId}.`);
    throw error;
  }
}
