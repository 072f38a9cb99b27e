import { createHmac, randomUUID } from 'node:crypto';
import {
  AdminCreateUserCommand,
  AssociateSoftwareTokenCommand,
  SetUserMFAPreferenceCommand,
  SetUserPoolMfaConfigCommand,
  VerifySoftwareTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { createCognitoLogin, type Answerer, type Challenge } from '../../src/adapters/aws/cognito-login';
import { randomPassword } from '../../src/adapters/aws/passwords';
import { groups } from '../../src/contracts/names';
import type { SignIn } from '../../src/contracts/sign-in';
import type { ServedTenant } from '../../src/contracts/tenant';
import { aws, newOperationId, newTenantId, registry } from '../adapters/aws/tenants';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { type RunningApi, startApi } from './running-api';

let api: RunningApi;
let tenant: ServedTenant;
let member: Account;
let operator: Account;

beforeAll(async () => {
  [api, tenant, operator] = await Promise.all([startApi(), newTenant(), signUpOperator()]);
  member = await signUp(tenant, [groups.members]);
});
afterAll(() => api.stop());

const placeOf = async (tenantId?: string): Promise<SignIn> =>
  (await api.send<SignIn>(tenantId === undefined ? '/api/v1/sign-in' : `/api/v1/tenants/${tenantId}/sign-in`)).body;
const nobodyAsks: Answerer = ({ kind }) => Promise.reject(new Error(`Asked for ${kind}`));
const refused = { code: 'auth/unauthenticated' };

describe('the address', () => {
  it('leads an operator from nothing to a token the API takes', async () => {
    const { accessToken } = await createCognitoLogin(await placeOf()).signIn(operator, nobodyAsks);
    expect((await api.send('/api/v1/tenants', { token: accessToken })).status).toBe(200);
  });

  it("leads a tenant's user to a token that tenant takes, and operators' routes do not", async () => {
    const { accessToken } = await createCognitoLogin(await placeOf(tenant.tenantId)).signIn(member, nobodyAsks);
    expect((await api.send(`/api/v1/tenants/${tenant.tenantId}/sessions`, { token: accessToken })).status).toBe(200);
    expect((await api.send('/api/v1/tenants', { token: accessToken })).status).toBe(401);
  });

  it('is told of no tenant that is not built, in the words for one that never was', async () => {
    const [building, never] = [newTenantId(), newTenantId()];
    await registry.reserve({ tenantId: building, displayName: building, tier: 'standard', operationId: newOperationId(building) });
    for (const tenantId of [building, never]) {
      const { status, body } = await api.send(`/api/v1/tenants/${tenantId}/sign-in`);
      expect({ status, code: body.code, detail: body.detail }).toEqual({ status: 404, code: 'tenant/not-found', detail: `There is no tenant ${tenantId}.` });
    }
  });
});

describe('signing in', () => {
  it('is refused with a wrong password, and for nobody we know, in the same words', async () => {
    const login = createCognitoLogin(await placeOf());
    const refusals = [operator.email, 'nobody@example.com'].map((email) => login.signIn({ email, password: randomPassword() }, nobodyAsks));
    const messages = (await Promise.allSettled(refusals)).map((ended) => (ended.status === 'rejected' ? (ended.reason as Error).message : ''));
    for (const refusal of refusals) await expect(refusal).rejects.toMatchObject(refused);
    expect(new Set(messages).size).toBe(1);
  });

  it('lets an invited user choose a password', async () => {
    const [email, temporary, own] = [`${randomUUID()}@example.com`, randomPassword(), randomPassword()];
    const { userPoolId: UserPoolId } = tenant.infrastructure;
    await aws.cognito.send(new AdminCreateUserCommand({ UserPoolId, Username: email, TemporaryPassword: temporary, MessageAction: 'SUPPRESS' }));
    const login = createCognitoLogin(await placeOf(tenant.tenantId));
    const asked: Challenge[] = [];
    const first = await login.signIn({ email, password: temporary }, (challenge) => Promise.resolve((asked.push(challenge), own)));
    expect([asked, first.accessToken]).toEqual([[{ kind: 'new-password' }], expect.any(String)]);
    expect((await login.signIn({ email, password: own }, nobodyAsks)).accessToken).toEqual(expect.any(String));
  });

  it('asks for the code of an authenticator app, again when it was wrong', async () => {
    const { userPoolId: UserPoolId } = tenant.infrastructure;
    const secret = await withAuthenticator(UserPoolId);
    const asked: (string | undefined)[] = [];
    const answer: Answerer = ({ kind }, refusal) => {
      expect(kind).toBe('code');
      asked.push(refusal);
      return Promise.resolve(asked.length === 1 ? '000000' : codeOf(secret));
    };
    const { accessToken } = await createCognitoLogin(await placeOf(tenant.tenantId)).signIn(member, answer);
    expect(asked).toEqual([undefined, expect.stringMatching(/code/i)]);
    expect((await api.send(`/api/v1/tenants/${tenant.tenantId}/sessions`, { token: accessToken })).status).toBe(200);
  });
});

describe('staying signed in', () => {
  it('takes new tokens for the refresh token, until the login is ended', async () => {
    const login = createCognitoLogin(await placeOf());
    const { refreshToken = '' } = await login.signIn(operator, nobodyAsks);
    const renewed = await login.renew(refreshToken);
    expect((await api.send('/api/v1/tenants', { token: renewed.accessToken })).status).toBe(200);
    await login.revoke(refreshToken);
    await expect(login.renew(refreshToken)).rejects.toMatchObject(refused);
  });
});

/** The member's, from now on. @returns its key. */
async function withAuthenticator(UserPoolId: string): Promise<string> {
  await aws.cognito.send(new SetUserPoolMfaConfigCommand({ UserPoolId, MfaConfiguration: 'OPTIONAL', SoftwareTokenMfaConfiguration: { Enabled: true } }));
  const { accessToken: AccessToken } = member;
  const { SecretCode: secret = '' } = await aws.cognito.send(new AssociateSoftwareTokenCommand({ AccessToken }));
  await aws.cognito.send(new VerifySoftwareTokenCommand({ AccessToken, UserCode: codeOf(secret) }));
  await aws.cognito.send(new SetUserMFAPreferenceCommand({ AccessToken, SoftwareTokenMfaSettings: { Enabled: true, PreferredMfa: true } }));
  return secret;
}

/** What the app shows now (RFC 6238). */
function codeOf(secretBase32: string): string {
  const bits = secretBase32.split(/(?=.)/).map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const mac = createHmac('sha1', key).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 0xf;
  return String((mac.readUInt32BE(offset) & 0x7fff_ffff) % 1_000_000).padStart(6, '0');
}
