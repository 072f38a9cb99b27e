import { z } from 'zod';
import { ApiKey, apiKeyLife, maxApiKeys, type StoredApiKey } from '../../contracts/access';
import { DomainError } from '../../contracts/errors';
import { derivedId, newId } from '../../contracts/ids';
import { apiKeyText } from '../../contracts/names';
import { writtenText } from '../../contracts/written-text';
import { delegable, mustHaveAll } from '../../domain/admission';
import type { AccessStore } from '../../ports/access';
import { makeApiKey } from '../api-key-text';
import { type Route, sharedRoute, tenantRoute } from '../route';
import { TenantPath } from './paths';

const KeyPath = TenantPath.extend({ keyId: z.string().regex(/^[0-9a-z]{16}$/, 'a key id is 16 letters and digits') });

const CreateKey = z.strictObject({
  name: writtenText({ max: 100 }),
  permissions: z.array(z.enum(delegable)).min(1).max(delegable.length),
  expiresInSeconds: z.number().int().min(apiKeyLife.shortest).max(apiKeyLife.longest).default(apiKeyLife.usual),
});

const ShownKey = ApiKey.extend({ key: z.string() });

export interface ApiKeyRoutesDeps {
  readonly accessStore: AccessStore;
}

export const apiKeyRoutes = ({ accessStore }: ApiKeyRoutesDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/api-keys',
    idempotent: true,
    summary: 'Make an API key: it is shown in this answer, and never again',
    permission: 'write:api-key',
    params: TenantPath,
    body: CreateKey,
    response: ShownKey,
    status: 201,
    async handle({ params: { tenantId }, body: { name, permissions, expiresInSeconds }, caller, idempotencyKey }) {
      mustHaveAll(caller.permissions, permissions);
      await mustHaveRoom(accessStore, tenantId);
      const keyId = idempotencyKey === undefined ? newId('apiKey').slice(-apiKeyText.idLength) : derivedId('apiKey', tenantId, caller.userId, idempotencyKey).slice(0, apiKeyText.idLength);
      const { text, digest } = makeApiKey(keyId);
      const now = Date.now();
      const key = { keyId, name, permissions, createdBy: caller.userId, createdAt: new Date(now).toISOString(), expiresAt: new Date(now + expiresInSeconds * 1_000).toISOString() };
      await accessStore.addKey(tenantId, { ...key, digest });
      return { headers: { location: `/api/v1/tenants/${tenantId}/api-keys/${keyId}`, 'cache-control': 'no-store' }, body: { ...key, key: text } };
    },
  }),
  sharedRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/api-keys',
    summary: "List the tenant's API keys, newest first; those that died within 30 days, too",
    permission: 'read:api-key',
    params: TenantPath,
    response: z.object({ data: z.array(ApiKey) }),
    status: 200,
    handle: async ({ params: { tenantId } }) => ({ body: { data: await accessStore.keys(tenantId) } }),
  }),
  sharedRoute({
    method: 'delete',
    path: '/api/v1/tenants/{tenantId}/api-keys/{keyId}',
    summary: 'Revoke an API key: it is refused at once',
    permission: 'write:api-key',
    params: KeyPath,
    response: ApiKey,
    status: 200,
    async handle({ params: { tenantId, keyId } }) {
      const revoked = await accessStore.revokeKey(tenantId, keyId);
      if (!revoked) throw new DomainError('api-key/not-found', 'There is no such API key.');
      return { body: revoked };
    },
  }),
];

const isAlive = ({ revokedAt, expiresAt }: StoredApiKey): boolean => revokedAt === undefined && Date.parse(expiresAt) > Date.now();

async function mustHaveRoom(accessStore: AccessStore, tenantId: string): Promise<void> {
  const alive = (await accessStore.keys(tenantId)).filter(isAlive);
  if (alive.length >= maxApiKeys) throw new DomainError('api-key/too-many', `A tenant may have ${maxApiKeys} API keys. Revoke those that are not used.`);
}
