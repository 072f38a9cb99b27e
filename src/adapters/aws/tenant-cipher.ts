import { LRUCache } from 'lru-cache';
import type { TenantCipher } from '../../ports/cipher';
import type { TenantDirectory } from '../../ports/tenant-registry';
import { createEnvelope, type Envelope } from './envelope';
import type { TenantAccess } from './tenant-access';

/** Envelope encryption under the tenant's key, by its ARN as the registry has it, with the credentials of the tenant's role. */
export function createTenantCipher({ access, directory }: { access: TenantAccess; directory: TenantDirectory }): TenantCipher {
  const envelopes = new LRUCache<string, Envelope>({
    max: 1_000,
    memoMethod: (tenantId) =>
      createEnvelope({
        kms: () => access.clients(tenantId).kms,
        keyId: async () => (await directory.built(tenantId)).infrastructure.keyArn,
        keyContext: { tenant: tenantId },
      }),
  });
  // The tenant is in the data key's context already; here too, so that the ciphertext names all it belongs to.
  return {
    seal: (tenantId, context, plaintext) => envelopes.memo(tenantId).seal({ ...context, tenant: tenantId }, plaintext),
    open: (tenantId, context, sealed) => envelopes.memo(tenantId).open({ ...context, tenant: tenantId }, sealed),
  };
}
