import { createPlatformClients } from '../adapters/aws/clients';
import { createCognitoLogin, createOperatorSignIn } from '../adapters/aws/cognito-login';
import { randomPassword, setPassword } from '../adapters/aws/passwords';
import { createTenantRegistry } from '../adapters/aws/tenant-registry';
import { createTenantUsers } from '../adapters/aws/tenant-users';
import { createSignInPlaces } from '../adapters/aws/token-issuers';
import { DomainError } from '../contracts/errors';
import type { LocalSettings } from '../contracts/local-settings';
import { groups } from '../contracts/names';
import { CliFailure, exitCodes } from './failures';
import { patiently } from './patience';

/** Signs in at the local stack: as its operator, or as a user of a tenant made on the spot. */
export function localAccounts({ aws: { endpoint, region, accessKeyId, secretAccessKey }, operator }: Pick<LocalSettings, 'aws' | 'operator'>) {
  // The SDK's clients find these by themselves, as they would in production.
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    // Its word about coming releases and Node.js versions is not for those who chat.
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  });
  const aws = createPlatformClients({ region, endpoint });
  const places = createSignInPlaces({ settings: { region, endpoint }, ssm: aws.ssm });
  const registry = createTenantRegistry(aws);
  const users = createTenantUsers(aws);

  return {
    async operatorToken(): Promise<string> {
      return (await createOperatorSignIn(places).signIn(operator)).accessToken;
    },

    /** Creates the user when there is none, and gives it a new password. @returns their id and access token. */
    async userTokens(tenantId: string, email: string, userGroups: readonly string[] = [groups.members]) {
      const { status, infrastructure: pool } = (await registry.get(tenantId)) ?? {};
      if (status === 'deleted') throw new CliFailure(exitCodes.notFound, `${tenantId} has left, with its users and all it had.`, `See what was deleted: tenure tenant certificate ${tenantId}`);
      if (!pool) throw new CliFailure(exitCodes.notFound, `There is no tenant ${tenantId} yet, or no more.`, `Create it with: tenure tenant create ${tenantId}`);
      const { userId } = await users.create(pool.userPoolId, { email, groups: userGroups });
      const login = createCognitoLogin(places.tenant(pool));
      const signIn = async () => {
        const password = randomPassword();
        await setPassword(aws.cognito, pool.userPoolId, { email, password });
        return login.signIn({ email, password });
      };
      // A command that signs in at the same time as the same user has given it another password in between.
      const { accessToken } = await patiently(signIn, { giveUpAfterMs: 10_000, mayPass: (error) => error instanceof DomainError && error.code === 'auth/unauthenticated' });
      return { userId, accessToken };
    },
  };
}

export type LocalAccounts = ReturnType<typeof localAccounts>;
