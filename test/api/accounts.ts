import { randomUUID } from 'node:crypto';
import { InitiateAuthCommand } from '@aws-sdk/client-cognito-identity-provider';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { randomPassword, setPassword } from '../../src/adapters/aws/passwords';
import { createTenantUsers } from '../../src/adapters/aws/tenant-users';
import { loadOperatorPool, type UserPool } from '../../src/adapters/aws/token-issuers';
import { createOperator } from '../../src/bootstrap';
import { loadConfig } from '../../src/config';
import { AgentConfig, type RequestRate, type ServedTenant } from '../../src/contracts/tenant';
import { configs, registry, standingTenant } from '../adapters/aws/tenants';

const config = loadConfig();
const aws = createPlatformClients(config.aws);
const users = createTenantUsers(aws);

export interface Account {
  readonly userId: string;
  readonly accessToken: string;
  readonly idToken: string;
  readonly email: string;
  readonly password: string;
}

/** With both tokens that Cognito gives: one of them is never to be taken. */
export async function signIn({ userPoolClientId }: UserPool, { email, password }: { email: string; password: string }): Promise<Pick<Account, 'accessToken' | 'idToken'>> {
  const AuthParameters = { USERNAME: email, PASSWORD: password };
  const { AuthenticationResult: tokens } = await aws.cognito.send(new InitiateAuthCommand({ AuthFlow: 'USER_PASSWORD_AUTH', ClientId: userPoolClientId, AuthParameters }));
  return { accessToken: tokens?.AccessToken ?? '', idToken: tokens?.IdToken ?? '' };
}

/** A tenant that can serve, with an agent; its rate is out of the way unless it is what is tested. */
export async function newTenant(rate: RequestRate = { requestsPerMinute: 1_000_000, burst: 1_000_000 }): Promise<ServedTenant> {
  const tenant = await standingTenant();
  await Promise.all([registry.update(tenant.tenantId, { rate }), configs.put(tenant.tenantId, AgentConfig.parse({}))]);
  return tenant;
}

/** A user of the tenant's own pool, signed in as a browser would. */
export async function signUp({ infrastructure: pool }: ServedTenant, groups: readonly string[]): Promise<Account> {
  const login = { email: `${randomUUID()}@example.com`, password: randomPassword() };
  const { userId } = await users.create(pool.userPoolId, { email: login.email, groups });
  await setPassword(aws.cognito, pool.userPoolId, login);
  return { userId, ...login, ...(await signIn(pool, login)) };
}

/** A platform operator, signed in. */
export async function signUpOperator(): Promise<Account> {
  const login = { email: `${randomUUID()}@example.com`, password: randomPassword() };
  await createOperator(config, login);
  return { userId: '', ...login, ...(await signIn(await loadOperatorPool(aws), login)) };
}
