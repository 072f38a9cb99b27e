import { AssumeRoleCommand, GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts';
import { LRUCache } from 'lru-cache';
import { codeOf, DomainError } from '../../contracts/errors';
import { type AccessPurpose, accessSessionName, purposeTag, tenantResources, tenantTag } from '../../contracts/names';
import { type AwsSettings, createTenantClients, type TenantClients } from './clients';
import { sessionPolicy } from './session-policies';

/**
 * The only way to a tenant's data: clients with the credentials of that tenant's role, which AWS lets nowhere else, and which
 * allow what their purpose needs.
 */
export interface TenantAccess {
  /** Cheap; ask each time: credentials are fetched with the first request, and renewed before they expire or once AWS refuses them. */
  clients(tenantId: string, purpose: AccessPurpose): TenantClients;
}

export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

const lifetimeSeconds = 3_600;
const renewBeforeMs = 5 * 60_000;

/**
 * Fetches once however many ask, again when what it has is about to expire, and forgets failures. While STS does not answer, what it
 * has is good until it expires. How long it has it is measured: the time of day may be set meanwhile.
 */
export function renewing(fetch: () => Promise<RoleCredentials>): () => Promise<RoleCredentials> {
  let current: Promise<RoleCredentials> | undefined;
  let good: { readonly credentials: RoleCredentials; readonly untilMs: number } | undefined;
  let renewAtMs = 0;
  const renewed = async (): Promise<RoleCredentials> => {
    try {
      const untilMs = performance.now() + lifetimeSeconds * 1_000;
      good = { credentials: await fetch(), untilMs };
      renewAtMs = untilMs - renewBeforeMs;
      return good.credentials;
    } catch (error) {
      current = undefined;
      if (codeOf(error) !== 'dependency/unavailable' || !good || good.untilMs <= performance.now()) throw error;
      return good.credentials;
    }
  };
  return () => {
    if (current && performance.now() < renewAtMs) return current;
    renewAtMs = Infinity;
    return (current = renewed());
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

  async function assumeRole(tenantId: string, purpose: AccessPurpose): Promise<RoleCredentials> {
    const { partition, accountId } = await account.forceFetch('self');
    try {
      const { Credentials } = await sts.send(
        new AssumeRoleCommand({
          RoleArn: `arn:${partition}:iam::${accountId}:role/${tenantResources(tenantId).role}`,
          RoleSessionName: accessSessionName(tenantId, purpose),
          DurationSeconds: lifetimeSeconds,
          Tags: [
            { Key: tenantTag, Value: tenantId },
            { Key: purposeTag, Value: purpose },
          ],
          Policy: sessionPolicy(purpose, { partition, accountId, region: settings.region, tenantId }),
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

  const clients = new LRUCache<string, TenantClients, { tenantId: string; purpose: AccessPurpose }>({
    max: 5_000,
    memoMethod: (label, _stale, { context: { tenantId, purpose } }) => {
      // Credentials die with their role, long before they expire. A tenant that is built anew has another role of the same name.
      const forget = () => void clients.delete(label);
      return createTenantClients(settings, renewing(() => assumeRole(tenantId, purpose)), forget);
    },
  });
  return { clients: (tenantId, purpose) => clients.memo(accessSessionName(tenantId, purpose), { context: { tenantId, purpose } }) };
}
