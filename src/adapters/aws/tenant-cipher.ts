import type { KMSClient } from '@aws-sdk/client-kms';
import { LRUCache } from 'lru-cache';
import { codeOf } from '../../contracts/errors';
import type { TenantCipher } from '../../ports/cipher';
import type { TenantDirectory } from '../../ports/tenant-registry';
import { createEnvelope, type Envelope, type EnvelopeSettings } from './envelope';
import type { TenantAccess } from './tenant-access';

/** Envelope encryption under the tenant's key, by its ARN as the registry has it, with the credentials of the tenant's role. */
export const createTenantCipher = ({ access, directory }: { access: TenantAccess; directory: TenantDirectory }): TenantCipher =>
  cipherOf((tenantId) => ({
    kms: () => access.clients(tenantId, 'encryption').kms,
    keyId: unlessAway(async () => (await directory.built(tenantId)).infrastructure.keyArn),
    generation: unlessAway(async () => (await directory.built(tenantId)).keyGeneration ?? ''),
  }));

/** Envelope encryption under one key of the platform's, with the credentials of the process; each tenant has data keys of its own. */
export const createPlatformCipher = ({ kms, keyAlias }: { kms: KMSClient; keyAlias: string }): TenantCipher =>
  cipherOf(() => ({ kms: () => kms, keyId: () => Promise.resolve(keyAlias) }));

/** While the registry does not answer, what it said last counts: a data key in memory needs no more. */
export function unlessAway<T>(ask: () => Promise<T>): () => Promise<T> {
  let known: T | undefined;
  return async () => {
    try {
      return (known = await ask());
    } catch (error) {
      if (known === undefined || codeOf(error) !== 'dependency/unavailable') throw error;
      return known;
    }
  };
}

function cipherOf(keyOf: (tenantId: string) => Pick<EnvelopeSettings, 'kms' | 'keyId' | 'generation'>): TenantCipher {
  const envelopes = new LRUCache<string, Envelope>({
    max: 1_000,
    memoMethod: (tenantId) => createEnvelope({ ...keyOf(tenantId), keyContext: { tenant: tenantId } }),
  });
  // The tenant is in the data key's context already; here too, so that the ciphertext names all it belongs to.
  return {
    seal: (tenantId, context, plaintext) => envelopes.memo(tenantId).seal({ ...context, tenant: tenantId }, plaintext),
    open: (tenantId, context, sealed) => envelopes.memo(tenantId).open({ ...context, tenant: tenantId }, sealed),
  };
}
