import { AssumeRoleCommand, GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts';
import { LRUCache } from 'lru-cache';
import { codeOf, DomainError } from '../../contracts/errors';
import { tenantResources } from '../../contracts/names';
import { type AwsSettings, createTenantClients, type TenantClients } from './clients';

/** The only way to a tenant's data: clients with the credentials of that tenant's role, which AWS lets nowhere else. */
export interface TenantAccess {
  /** Cheap; ask each time: credentials are fetched with the first request, and renewed before they expire or once AWS refuses them. */
  clients(tenantId: string): TenantClients;
}

interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

const renewBeforeMs = 5 * 60_000;

/** Fetches once however many ask, again when what it has is about to expire, and forgets failures. */
function renewing(fetch: () => Promise<RoleCredentials>): () => Promise<RoleCredentials> {
  let current: Promise<RoleCredentials> | undefined;
  let renewAtMs = 0;
  return () => {
    if (current && Date.now() < renewAtMs) return current;
    renewAtMs = Infinity;
    current = fetch();
    current.then(
      ({ expiration }) => void (renewAtMs = expiration.getTime() - renewBeforeMs),
      () => void (current = undefined),
    );
    return current;
  };
}

/** Of the account the process runs in: `aws`, `123456789012`. */
export async function callerAccount(sts: STSClient): Promise<{ partition: string; accountId: string }> {
  const { Account, Arn } = await sts.send(new GetCallerIdentityCommand());
  const partition = Arn?.split(':')[1];
  if (!Account || !partition) throw new Error('STS did not say whose credentials these are.');
  return { partition, accountId: Account };
}

export function createTenantAccess({ sts, settings }: { sts: STSClient; settings: AwsSettings }): TenantAccess {
  const account = new LRUCache<'self', { partition: string; accountId: string }>({ max: 1, fetchMethod: () => callerAccount(sts) });

  async function assumeRole(tenantId: string): Promise<RoleCredentials> {
    const { partition, accountId } = await account.forceFetch('self');
    try {
      const { Credentials } = await sts.send(
        new AssumeRoleCommand({
          RoleArn: `arn:${partition}:iam::${accountId}:role/${tenantResources(tenantId).role}`,
          RoleSessionName: `tenure-${tenantId}`,
          DurationSeconds: 3_600,
          Tags: [{ Key: 'TenantId', Value: tenantId }],
        }),
      );
      if (!Credentials?.AccessKeyId || !Credentials.SecretAccessKey || !Credentials.SessionToken || !Credentials.Expiration)
        throw new Error('STS answered without credentials.');
      return {
        accessKeyId: Credentials.AccessKeyId,
        secretAccessKey: Credentials.SecretAccessKey,
        sessionToken: Credentials.SessionToken,
        expiration: Credentials.Expiration,
      };
    } catch (error) {
      // A role that was made seconds ago is not known everywhere yet: AWS says AccessDenied until it is.
      if (codeOf(error) !== 'dependency/denied') throw error;
      throw new DomainError('dependency/denied', `The access role of tenant ${tenantId} cannot be assumed (yet).`, { cause: error });
    }
  }

  const clients = new LRUCache<string, TenantClients>({
    max: 1_000,
    memoMethod: (tenantId) => {
      // Credentials die with their role, long before they expire. A tenant that is built anew has another role of the same name.
      const forget = () => void clients.delete(tenantId);
      return createTenantClients(settings, renewing(() => assumeRole(tenantId)), forget);
    },
  });
  return { clients: (tenantId) => clients.memo(tenantId) };
}
