import { GetParameterCommand, type SSMClient } from '@aws-sdk/client-ssm';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import { platformResources } from '../../contracts/names';
import type { TokenIssuer, TokenIssuers } from '../../ports/identity';
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

/** Issuers of Cognito pools; tokens name AWS as issuer wherever the keys come from. */
export function createTokenIssuers({ settings, ssm }: { settings: AwsSettings; ssm: SSMClient }): TokenIssuers {
  const issuerOf = ({ userPoolId, userPoolClientId }: UserPool): TokenIssuer => {
    const origin = `https://cognito-idp.${settings.region}.amazonaws.com`;
    return {
      issuer: `${origin}/${userPoolId}`,
      jwksUrl: `${settings.endpoint ?? origin}/${userPoolId}/.well-known/jwks.json`,
      clientId: userPoolClientId,
    };
  };
  // Read when first asked for: the process may start before the bootstrap has run.
  const operators = new LRUCache<'pool', TokenIssuer>({ max: 1, fetchMethod: async () => issuerOf(await loadOperatorPool({ ssm })) });
  return { tenant: issuerOf, operators: () => operators.forceFetch('pool') };
}
