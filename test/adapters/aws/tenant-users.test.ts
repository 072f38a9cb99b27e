import { AdminCreateUserCommand, AdminGetUserCommand } from '@aws-sdk/client-cognito-identity-provider';
import { createCognitoLogin, createOperatorSignIn } from '../../../src/adapters/aws/cognito-login';
import { setPassword } from '../../../src/adapters/aws/passwords';
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

it('lets in whom a restore made before it was killed: a password nobody knows, in place of one nobody was sent', async () => {
  const { userPoolId } = tenant.infrastructure;
  const bob = { UserPoolId: userPoolId, Username: 'bob@example.com' };
  const statusOfBob = async () => (await aws.cognito.send(new AdminGetUserCommand(bob))).UserStatus;
  await aws.cognito.send(new AdminCreateUserCommand({ ...bob, UserAttributes: [{ Name: 'email', Value: bob.Username }], MessageAction: 'SUPPRESS' }));
  expect(await statusOfBob()).toBe('FORCE_CHANGE_PASSWORD');
  await users.restore(userPoolId, { email: bob.Username, groups: ['members'], enabled: true });
  expect(await statusOfBob()).toBe('CONFIRMED');
  await setPassword(aws.cognito, userPoolId, { email: bob.Username, password });
  await users.restore(userPoolId, { email: bob.Username, groups: ['members'], enabled: true });
  await createCognitoLogin(places.tenant(tenant.infrastructure)).signIn({ email: bob.Username, password });
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
