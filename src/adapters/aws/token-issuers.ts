import { GetParameterCommand, type SSMClient } from '@aws-sdk/client-ssm';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import { platformResources } from '../../contracts/names';
import type { SignIn } from '../../contracts/sign-in';
import type { SignInPlaces, TokenIssuer, TokenIssuers } from '../../ports/identity';
import type { AwsSettings } from './clients';
import { isAwsError } from './failures';

export const UserPool = z.object({ userPoolId: z.string(), userPoolClientId: z.string() });
export type UserPool = z.infer<typeof UserPool>;

/** Where the operators log in, as the bootstrap left it. @throws DomainError `dependency/unavailable` before the bootstrap has run. */
export async function loadOperatorPool({ ssm }: { ssm: SSMClient }): Promise<UserPool> {
  try {
    const { Parameter } = await ssm.send(new GetParameterCommand({ Name: platformResources.operatorsParameter }));
    return UserPool.parse(JSON.parse(Parameter?.Value ?? ''));
  } catch (error) {
    if (!isAwsError(error, 'ParameterNotFound')) throw error;
    throw new DomainError('dependency/unavailable', 'The platform is not set up. Run the bootstrap first.', { cause: error });
  }
}

const originOf = (region: string): string => `https://cognito-idp.${region}.amazonaws.com`;

/** Where others learn how to check the tokens of a pool. AWS itself reads it, so it is AWS's own address. */
export const discoveryUrlOf = (region: string, userPoolId: string): string => `${originOf(region)}/${userPoolId}/.well-known/openid-configuration`;

/** Issuers of Cognito pools; tokens name AWS as issuer wherever the keys come from. */
export function createTokenIssuers({ settings, ssm }: { settings: AwsSettings; ssm: SSMClient }): TokenIssuers {
  const issuerOf = ({ userPoolId, userPoolClientId, retiringUserPoolClientId }: UserPool & { retiringUserPoolClientId?: string | undefined }): TokenIssuer => ({
    issuer: `${originOf(settings.region)}/${userPoolId}`,
    jwksUrl: `${settings.endpoint ?? originOf(settings.region)}/${userPoolId}/.well-known/jwks.json`,
    clientIds: [userPoolClientId, ...(retiringUserPoolClientId === undefined ? [] : [retiringUserPoolClientId])],
  });
  // Read when first asked for: the process may start before the bootstrap has run.
  const operators = new LRUCache<'pool', TokenIssuer>({ max: 1, fetchMethod: async () => issuerOf(await loadOperatorPool({ ssm })) });
  return { tenant: (pool) => ({ ...issuerOf(pool), hasMachineClients: true }), operators: () => operators.forceFetch('pool') };
}

/** Where people sign in at Cognito, for clients that have no token yet. */
export function createSignInPlaces({ settings, ssm }: { settings: AwsSettings; ssm: SSMClient }): SignInPlaces {
  const placeOf = ({ userPoolId, userPoolClientId }: UserPool): SignIn => ({
    region: settings.region,
    endpoint: settings.endpoint ?? originOf(settings.region),
    userPoolId,
    clientId: userPoolClientId,
    issuer: `${originOf(settings.region)}/${userPoolId}`,
  });
  const operators = new LRUCache<'pool', SignIn>({ max: 1, fetchMethod: async () => placeOf(await loadOperatorPool({ ssm })) });
  return { tenant: placeOf, operators: () => operators.forceFetch('pool') };
}
