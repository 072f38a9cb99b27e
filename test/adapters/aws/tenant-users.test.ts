import { AdminGetUserCommand, AdminSetUserPasswordCommand } from '@aws-sdk/client-cognito-identity-provider';
import { createCognitoLogin, createOperatorSignIn } from '../../../src/adapters/aws/cognito-login';
import { createPlatformClients } from '../../../src/adapters/aws/clients';
import { setPassword } from '../../../src/adapters/aws/passwords';
import { createTenantUsers } from '../../../src/adapters/aws/tenant-users';
import { createSignInPlaces, createTokenIssuers } from '../../../src/adapters/aws/token-issuers';
import { ensureOperator } from '../../../src/adapters/aws/platform';
import type { ServedTenant } from '../../../src/contracts/tenant';
import { bootstrapPlatform } from '../../../src/bootstrap';
import { aws, config, settings, standingPlatform, standingTenant, users } from './tenants';

let tenant: ServedTenant;
beforeAll(async () => {
  await standingPlatform();
  tenant = await standingTenant();
});

const claimsOf = (token: string): unknown => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
const places = createSignInPlaces({ settings, ssm: aws.ssm });
const password = 'Correct-horse-battery-9';

it('creates a user once, in the groups, who can then sign in to this pool', async () => {
  const { infrastructure } = tenant;
  const create = () => users.create(infrastructure.userPoolId, { email: 'ann@example.com', groups: ['administrators', 'members'] });
  const ann = await create();
  expect(await create()).toEqual(ann);
  expect(ann).toMatchObject({ enabled: true });
  expect([...ann.groups].sort()).toEqual(['administrators', 'members']);

  await setPassword(aws.cognito, infrastructure.userPoolId, { email: 'ann@example.com', password });
  const { accessToken } = await createCognitoLogin(places.tenant(infrastructure)).signIn({ email: 'ann@example.com', password });
  const { issuer, clientIds: [clientId], jwksUrl } = createTokenIssuers({ settings, ssm: aws.ssm }).tenant(infrastructure);
  expect(claimsOf(accessToken)).toMatchObject({ sub: ann.userId, iss: issuer, client_id: clientId, token_use: 'access' });
  expect(((await (await fetch(jwksUrl)).json()) as { keys: unknown[] }).keys).not.toHaveLength(0);
});

describe('restores a user', () => {
  const restore = (email: string, by = users) => by.restore(tenant.infrastructure.userPoolId, { email, groups: ['members'], enabled: true });
  const login = () => createCognitoLogin(places.tenant(tenant.infrastructure));
  const who = (email: string) => ({ UserPoolId: tenant.infrastructure.userPoolId, Username: email });

  /** Ends before it sends this command, as a kill does. */
  function killedBefore(command: string) {
    const { cognito } = createPlatformClients(settings);
    cognito.middlewareStack.add((next, { commandName }) => (args) => (commandName === command ? Promise.reject(new Error('killed')) : next(args)), { step: 'initialize' });
    return createTenantUsers({ cognito });
  }

  it.each([
    ['before it has a password', 'AdminSetUserPasswordCommand', { status: 'FORCE_CHANGE_PASSWORD', verified: 'false' }],
    ['before its address is verified', 'AdminUpdateUserAttributesCommand', { status: 'CONFIRMED', verified: 'false' }],
  ])('so that "forgot password" is the way in, also when an attempt was killed %s', async (_when, command, left) => {
    const email = `${command}@example.com`;
    const standing = async () => {
      const { UserStatus: status, UserAttributes } = await aws.cognito.send(new AdminGetUserCommand(who(email)));
      return { status, verified: UserAttributes?.find(({ Name }) => Name === 'email_verified')?.Value };
    };
    await expect(restore(email, killedBefore(command))).rejects.toThrow('killed');
    expect(await standing()).toEqual(left);
    await restore(email);
    // What Cognito wants before it sends a code to somebody who forgot the password.
    expect(await standing()).toEqual({ status: 'CONFIRMED', verified: 'true' });
  });

  it('who is there with the password there is', async () => {
    const email = 'bob@example.com';
    await restore(email);
    await setPassword(aws.cognito, tenant.infrastructure.userPoolId, { email, password });
    await restore(email);
    await login().signIn({ email, password });
  });

  it('who is invited with the password of the invitation', async () => {
    const email = 'eve@example.com';
    const { userId } = await users.create(tenant.infrastructure.userPoolId, { email, groups: ['administrators'] });
    // In place of the one in the mail, which nobody here reads.
    await aws.cognito.send(new AdminSetUserPasswordCommand({ ...who(email), Password: password, Permanent: false }));
    expect(await restore(email)).toMatchObject({ userId, groups: ['members'] });
    await login().signIn({ email, password }, ({ kind }) => (kind === 'new-password' ? Promise.resolve(`${password}-new`) : Promise.reject(new Error(kind))));
  });
});

it('lists every user of a pool, page by page', async () => {
  const { userPoolId } = tenant.infrastructure;
  const emails = Array.from({ length: 65 }, (_, index) => `user-${index}@example.com`);
  for (const email of emails) await users.create(userPoolId, { email, groups: ['members'] });
  const seen = new Map<string, readonly string[]>();
  for await (const { email, groups } of users.all(userPoolId)) seen.set(email, groups);
  expect([...seen.keys()]).toEqual(expect.arrayContaining(emails));
  expect(seen.get('user-64@example.com')).toEqual(['members']);
});

it('makes operators who sign in to their own pool, and renews their password', async () => {
  const issuers = createTokenIssuers({ settings, ssm: aws.ssm });
  for (const secret of [password, `${password}-new`]) {
    await ensureOperator(aws, { email: 'op@example.com', password: secret });
    const { accessToken } = await createOperatorSignIn(places).signIn({ email: 'op@example.com', password: secret });
    expect(claimsOf(accessToken)).toMatchObject({ iss: (await issuers.operators()).issuer, 'cognito:groups': ['operators'] });
  }
});

it('sets the platform up once, however often it is asked to', async () => {
  const before = await standingPlatform();
  await bootstrapPlatform(config);
  expect(await standingPlatform()).toEqual(before);
});
