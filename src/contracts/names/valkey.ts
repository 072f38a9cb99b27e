import { tenantIdPattern } from './ids';

/** Buckets of request rates that are not a tenant's. A slash: no tenant has one in its id. */
export const rateBuckets = {
  codec: (userId: string) => `codec/${userId}`,
  signIn: (emailDigest: string, address: string) => `sign-in/${emailDigest}/${address}`,
  /** Of strangers: what needs no token. */
  address: (address: string) => `address/${address}`,
  /** Of credentials that were refused. No tenant's key: anybody can name a tenant that is not there. */
  failuresFrom: (address: string) => `failures/from/${address}`,
  failuresAt: (tenantId: string) => `failures/at/${tenantId}`,
} as const;

/** A tenant in braces keeps its keys on one shard of a Valkey cluster. */
export const valkeyKeys = {
  live: (tenantId: string, sessionId: string) => `{${tenantId}}/live/${sessionId}`,
  /** A message between the process that took it and the one that reads it. After a restore, messages of the same id are others. */
  message: (tenantId: string, { sessionId, turnId, restoredAt = '' }: { sessionId: string; turnId: string; restoredAt: string | undefined }) => `{${tenantId}}/messages/${sessionId}/${turnId}/${restoredAt}`,
  rate: (bucket: string) => `{${bucket}}/rate`,
  /** In the bucket's shard: both are taken from at once. */
  share: (bucket: string, userId: string) => `{${bucket}}/rate/${userId}`,
  /** What is in use of a thing of which there is only so much: who holds a place, until when. */
  places: (tenantId: string, thing: string) => `{${tenantId}}/places/${thing}`,
  placesOf: (tenantId: string, thing: string, userId: string) => `{${tenantId}}/places/${thing}/${userId}`,
  /** The worker processes there are. No tenant's. */
  workers: 'workers',
  /** The last change of the registry. */
  tenantChange: 'tenants/change',
  /** Matches every key of the tenant. */
  all: (tenantId: string) => `{${tenantId}}/*`,
} as const;

/** The session whose words a key holds. */
export const sessionOfKey = (valkeyKey: string): string | undefined => /^\{[^}]+\}\/(?:live|messages)\/([^/]+)/.exec(valkeyKey)?.[1];

export const tenantOfKey = (valkeyKey: string): string | undefined => {
  const tenantId = /^\{([^}]+)\}\//.exec(valkeyKey)?.[1];
  return tenantId !== undefined && tenantIdPattern.test(tenantId) ? tenantId : undefined;
};
