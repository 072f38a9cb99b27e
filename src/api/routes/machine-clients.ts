import { z } from 'zod';
import { MachineClient, maxMachineClients, maxMachineSecrets, maxSecretOverlapSeconds, type StoredMachineClient } from '../../contracts/access';
import { codeOf, DomainError } from '../../contracts/errors';
import { derivedId, idFor } from '../../contracts/ids';
import { machineAccess, machineClientIdLength } from '../../contracts/names';
import type { ServedTenant } from '../../contracts/tenant';
import { writtenText } from '../../contracts/written-text';
import { delegable, mustHaveAll, stayingCredentials } from '../../domain/admission';
import { mustBeSameRequest } from '../../domain/same-request';
import type { AccessStore } from '../../ports/access';
import type { MachineClients } from '../../ports/identity';
import { type Route, type RouteInput, sharedRoute, tenantRoute } from '../route';
import { TenantPath } from './paths';

const ClientPath = TenantPath.extend({ clientId: z.string().regex(/^[0-9a-z]{16}$/, 'the id of a machine client is 16 letters and digits') });

const RegisterClient = z.strictObject({
  name: writtenText({ max: 100 }),
  description: writtenText({ max: 500 }).optional(),
  permissions: z.array(z.enum(delegable)).min(1).max(delegable.length),
});

/** What is left out stays as it is. */
const ChangeClient = RegisterClient.partial();

const RotateClient = z.strictObject({
  /** How long the secrets before, and their tokens, stay good: those that end sooner, until then. */
  overlapSeconds: z.number().int().min(0).max(maxSecretOverlapSeconds).default(0),
});

/** With what the program needs to get a token. */
const ShownClient = MachineClient.extend({
  /** `client_id` and `client_secret` in OAuth's words. */
  oauthClientId: z.string(),
  oauthClientSecret: z.string(),
  tokenUrl: z.url(),
  /** What it may do now, as scopes. A token that asks for nothing has all there are: what was not given counts for nothing. */
  scope: z.string(),
});

export interface MachineClientRoutesDeps {
  readonly accessStore: AccessStore;
  readonly machineClients: MachineClients;
}

export const machineClientRoutes = (deps: MachineClientRoutesDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/machine-clients',
    idempotent: true,
    summary: 'Register a machine client: its secret is shown in this answer, and never again',
    permission: 'write:machine-client',
    params: TenantPath,
    body: RegisterClient,
    response: ShownClient,
    status: 201,
    async handle({ tenant, body: { name, description, permissions }, caller, idempotencyKey }) {
      mustHaveAll(caller.permissions, permissions);
      await mustHaveRoom(deps.accessStore, tenant.tenantId);
      const clientId = idFor('machineClient', idempotencyKey, tenant.tenantId, caller.userId).slice(-machineClientIdLength);
      const since = new Date().toISOString();
      const client = { clientId, name, ...(description !== undefined && { description }), permissions, createdBy: caller.userId, createdAt: since };
      const shown = await withCredential(deps, tenant, client, async (oauthClientId) => {
        const made = { ...client, credentials: [{ oauthClientId, since }] };
        await deps.accessStore.addMachineClient(tenant.tenantId, made);
        return made;
      });
      return { headers: { location: `/api/v1/tenants/${tenant.tenantId}/machine-clients/${clientId}`, 'cache-control': 'no-store' }, body: shown };
    },
  }),
  sharedRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/machine-clients',
    summary: "List the tenant's machine clients, newest first; those that were revoked within 30 days, too",
    permission: 'read:machine-client',
    params: TenantPath,
    response: z.object({ data: z.array(MachineClient) }),
    status: 200,
    handle: async ({ params: { tenantId } }) => ({ body: { data: await deps.accessStore.machineClients(tenantId) } }),
  }),
  tenantRoute({
    method: 'patch',
    path: '/api/v1/tenants/{tenantId}/machine-clients/{clientId}',
    summary: 'Change what a machine client is called and may do: it holds for the tokens it has, too',
    permission: 'write:machine-client',
    params: ClientPath,
    body: ChangeClient,
    response: MachineClient,
    status: 200,
    async handle({ tenant: { tenantId }, params: { clientId }, body, caller }) {
      mustHaveAll(caller.permissions, body.permissions ?? []);
      return { body: (await deps.accessStore.changeMachineClient(tenantId, clientId, body)) ?? (await standing(deps, tenantId, clientId)) };
    },
  }),
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/machine-clients/{clientId}/rotate',
    idempotent: true,
    summary: 'Give a machine client another secret: it is shown in this answer, and never again',
    permission: 'write:machine-client',
    params: ClientPath,
    body: RotateClient,
    response: ShownClient,
    status: 200,
    async handle({ tenant, params: { clientId }, body: { overlapSeconds }, ...asked }) {
      const client = await standing(deps, tenant.tenantId, clientId);
      return { headers: { 'cache-control': 'no-store' }, body: await rotated(deps, tenant, client, { overlapSeconds, request: requestOf(client, asked) }) };
    },
  }),
  sharedRoute({
    method: 'delete',
    path: '/api/v1/tenants/{tenantId}/machine-clients/{clientId}',
    summary: 'Revoke a machine client: it gets no more tokens, and those it has are refused at once',
    permission: 'write:machine-client',
    params: ClientPath,
    response: MachineClient,
    status: 200,
    handle: async ({ tenant, params: { clientId } }) => ({ body: await revoke(deps, tenant, clientId) }),
  }),
];

const notFound = () => new DomainError('machine-client/not-found', 'There is no such machine client.');

/** @throws DomainError `machine-client/not-found`; `machine-client/changed` when it was revoked. */
async function standing({ accessStore }: MachineClientRoutesDeps, tenantId: string, clientId: string): Promise<StoredMachineClient> {
  const client = (await accessStore.machineClients(tenantId)).find((known) => known.clientId === clientId);
  if (!client) throw notFound();
  if (client.revokedAt !== undefined) throw new DomainError('machine-client/changed', 'The machine client was revoked. Register another.');
  return client;
}

async function mustHaveRoom(accessStore: AccessStore, tenantId: string): Promise<void> {
  const alive = (await accessStore.machineClients(tenantId)).filter(({ revokedAt }) => revokedAt === undefined);
  if (alive.length >= maxMachineClients) throw new DomainError('machine-client/too-many', `A tenant may have ${maxMachineClients} machine clients. Revoke those that are not used.`);
}

type Named = Pick<MachineClient, 'clientId' | 'permissions'>;

/** Makes a credential, and gives it up when it was refused: what the API does not know is good for nothing. */
async function withCredential(
  { machineClients }: MachineClientRoutesDeps,
  { tenantId, infrastructure: { userPoolId } }: ServedTenant,
  { clientId, permissions }: Named,
  note: (oauthClientId: string) => Promise<MachineClient>,
): Promise<z.infer<typeof ShownClient>> {
  const { oauthClientId, secret, tokenUrl } = await machineClients.create(userPoolId, { name: machineAccess.appClient(tenantId, clientId, Date.now()) });
  try {
    const client = await note(oauthClientId);
    return { ...client, oauthClientId, oauthClientSecret: secret, tokenUrl, scope: permissions.map(machineAccess.scope).join(' ') };
  } catch (error) {
    // Without DynamoDB's answer it may be noted, and the one before gone. If it is not, drift detection finds it.
    const code = codeOf(error);
    if (code !== undefined && !code.startsWith('dependency/')) await machineClients.delete(userPoolId, oauthClientId).catch(() => undefined);
    throw error;
  }
}

/** Of so many rotations it is known under which key they were asked for. */
const knownRotations = 20;

type RotationRequest = NonNullable<StoredMachineClient['rotations']>[number];

/** Undefined without a key: it is not repeated. */
const requestOf = ({ clientId }: MachineClient, { caller, idempotencyKey, requestDigest }: Pick<RouteInput<unknown, unknown, unknown>, 'caller' | 'idempotencyKey' | 'requestDigest'>): RotationRequest | undefined =>
  idempotencyKey !== undefined && requestDigest !== undefined ? { requestId: derivedId('rotation', clientId, caller.userId, idempotencyKey), requestDigest } : undefined;

/** @throws DomainError `machine-client/shown` when the request has rotated it already; `idempotency/key-reused` */
function mustNotHaveRotated({ rotations = [] }: StoredMachineClient, request: RotationRequest | undefined): void {
  const earlier = rotations.find(({ requestId }) => requestId === request?.requestId);
  if (!earlier) return;
  mustBeSameRequest(earlier.requestDigest, request?.requestDigest);
  throw new DomainError('machine-client/shown', 'The secret was replaced by an earlier request, and the new one shown then. If it is lost, rotate under another key: with an overlap, what is in use stays good.');
}

async function rotated(
  deps: MachineClientRoutesDeps,
  tenant: ServedTenant,
  client: StoredMachineClient,
  { overlapSeconds, request }: { readonly overlapSeconds: number; readonly request: RotationRequest | undefined },
): Promise<z.infer<typeof ShownClient>> {
  const { clientId, credentials: before, rotations = [] } = client;
  mustNotHaveRotated(client, request);
  const nowMs = Date.now();
  const staying = stayingCredentials(client, overlapSeconds, nowMs);
  if (staying.length >= maxMachineSecrets)
    throw new DomainError('machine-client/too-many-secrets', `${maxMachineSecrets} secrets of the machine client are good. Wait until one of them has ended, or rotate without an overlap.`);
  const shown = await withCredential(deps, tenant, client, async (oauthClientId) => {
    const next = {
      credentials: [{ oauthClientId, since: new Date(nowMs).toISOString() }, ...staying],
      rotations: [...(request ? [request] : []), ...rotations].slice(0, knownRotations),
    };
    const written = await deps.accessStore.setMachineCredentials(tenant.tenantId, clientId, before[0]?.oauthClientId ?? '', next);
    if (written) return written;
    // The same request may have been sent twice at once.
    mustNotHaveRotated(await standing(deps, tenant.tenantId, clientId), request);
    throw new DomainError('machine-client/changed', 'The machine client was rotated or revoked meanwhile. Look at it, and try again.');
  });
  // What is accepted no longer need not be in the pool either. Left there, it gets tokens that are refused.
  const dropped = before.filter(({ oauthClientId }) => !staying.some((credential) => credential.oauthClientId === oauthClientId));
  await Promise.all(dropped.map(({ oauthClientId }) => deps.machineClients.delete(tenant.infrastructure.userPoolId, oauthClientId).catch(() => undefined)));
  return shown;
}

/** @throws DomainError as `notFound` */
async function revoke({ accessStore, machineClients }: MachineClientRoutesDeps, { tenantId, infrastructure }: ServedTenant, clientId: string): Promise<StoredMachineClient> {
  // First what is asked with each request: a failure behind it leaves nobody in, and repeating it finishes.
  const revoked = await accessStore.revokeMachineClient(tenantId, clientId);
  if (!revoked) throw notFound();
  await Promise.all(revoked.credentials.map(({ oauthClientId }) => machineClients.delete(infrastructure.userPoolId, oauthClientId)));
  return revoked;
}
