import { randomBytes } from 'node:crypto';
import {
  type CognitoIdentityProviderClient,
  CreateResourceServerCommand,
  CreateUserPoolClientCommand,
  CreateUserPoolDomainCommand,
  DeleteUserPoolClientCommand,
  DeleteUserPoolDomainCommand,
  DescribeResourceServerCommand,
  DescribeUserPoolCommand,
  paginateListUserPoolClients,
  UpdateResourceServerCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { machineAccess } from '../../contracts/names';
import { delegable } from '../../domain/admission';
import type { MachineClients } from '../../ports/identity';
import type { AwsSettings } from './clients';
import { ifThere, isAwsError } from './failures';
import { allOf } from './inventory/finding';

const accessTokenMinutes = 60;

/** Nobody guesses it, so that nobody takes it before us. */
const newDomainPrefix = () => machineAccess.domainPrefix(randomBytes(10).toString('hex'));

/**
 * App clients with client credentials. A pool gets a domain (without one Cognito has no token endpoint for it) and a resource server with its
 * first machine client: tenants that have none offer nobody a place to ask. See docs/decisions/0070-machine-clients.md.
 */
export function createMachineClients({ cognito, settings }: { cognito: CognitoIdentityProviderClient; settings: AwsSettings }): MachineClients {
  return {
    async create(UserPoolId, { name }) {
      const [prefix] = await Promise.all([standingDomain(cognito, UserPoolId), standingScopes(cognito, UserPoolId)]);
      const { UserPoolClient: { ClientId, ClientSecret } = {} } = await cognito.send(
        new CreateUserPoolClientCommand({
          UserPoolId,
          ClientName: name,
          GenerateSecret: true,
          AllowedOAuthFlowsUserPoolClient: true,
          AllowedOAuthFlows: ['client_credentials'],
          AllowedOAuthScopes: delegable.map(machineAccess.scope),
          // Left out, it would let users sign in.
          ExplicitAuthFlows: ['ALLOW_REFRESH_TOKEN_AUTH'],
          PreventUserExistenceErrors: 'ENABLED',
          AccessTokenValidity: accessTokenMinutes,
          TokenValidityUnits: { AccessToken: 'minutes' },
        }),
      );
      if (!ClientId || !ClientSecret) throw new Error('Cognito answered without a client.');
      return { oauthClientId: ClientId, secret: ClientSecret, tokenUrl: `${originOf(settings, prefix)}/oauth2/token` };
    },

    async delete(UserPoolId, ClientId) {
      await ifThere(cognito.send(new DeleteUserPoolClientCommand({ UserPoolId, ClientId })));
    },

    async look(UserPoolId) {
      const [pool, clients, server] = await Promise.all([
        ifThere(cognito.send(new DescribeUserPoolCommand({ UserPoolId }))),
        ifThere(allOf(paginateListUserPoolClients({ client: cognito, pageSize: 60 }, { UserPoolId }), ({ UserPoolClients }) => UserPoolClients)),
        ifThere(cognito.send(new DescribeResourceServerCommand({ UserPoolId, Identifier: machineAccess.resourceServer }))),
      ]);
      if (!pool || !clients) return undefined;
      return {
        appClients: clients.map(({ ClientId = '', ClientName = '' }) => ({ oauthClientId: ClientId, name: ClientName })),
        scopes: (server?.ResourceServer?.Scopes ?? []).map(({ ScopeName = '' }) => ScopeName),
        hasDomain: pool.UserPool?.Domain !== undefined,
      };
    },

    offerScopes: (UserPoolId) => standingScopes(cognito, UserPoolId),
  };
}

const originOf = ({ endpoint, region }: AwsSettings, prefix: string): string => endpoint ?? `https://${prefix}.auth.${region}.amazoncognito.com`;

const domainOf = async (cognito: CognitoIdentityProviderClient, UserPoolId: string): Promise<string | undefined> =>
  (await ifThere(cognito.send(new DescribeUserPoolCommand({ UserPoolId }))))?.UserPool?.Domain;

/** The pool's domain, made when it has none. Whoever comes second of two finds that of the first. */
async function standingDomain(cognito: CognitoIdentityProviderClient, UserPoolId: string): Promise<string> {
  const known = await domainOf(cognito, UserPoolId);
  if (known !== undefined) return known;
  const Domain = newDomainPrefix();
  try {
    await cognito.send(new CreateUserPoolDomainCommand({ UserPoolId, Domain }));
    return Domain;
  } catch (error) {
    const others = await domainOf(cognito, UserPoolId);
    if (others === undefined) throw error;
    return others;
  }
}

/** A scope for each permission that can be given, by today's list. */
async function standingScopes(cognito: CognitoIdentityProviderClient, UserPoolId: string): Promise<void> {
  const server = {
    UserPoolId,
    Identifier: machineAccess.resourceServer,
    Name: machineAccess.resourceServer,
    Scopes: delegable.map((ScopeName) => ({ ScopeName, ScopeDescription: ScopeName })),
  };
  const update = () => ifThere(cognito.send(new UpdateResourceServerCommand(server)));
  if (await update()) return;
  try {
    await cognito.send(new CreateResourceServerCommand(server));
  } catch (error) {
    // Somebody made it just now.
    if (!isAwsError(error, 'InvalidParameterException') || !(await update())) throw error;
  }
}

/** Takes a pool's domain away: Cognito deletes no pool that has one. Fine when there is none. */
export async function deleteDomain(cognito: CognitoIdentityProviderClient, UserPoolId: string): Promise<void> {
  const Domain = await domainOf(cognito, UserPoolId);
  if (Domain !== undefined) await ifThere(cognito.send(new DeleteUserPoolDomainCommand({ UserPoolId, Domain })));
}
