import { DisableKeyCommand, EnableKeyCommand } from '@aws-sdk/client-kms';
import { AdminRemoveUserFromGroupCommand } from '@aws-sdk/client-cognito-identity-provider';
import { defaultPayloadConverter, type Payload, toPayloads } from '@temporalio/common';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { loadOperatorPool } from '../../src/adapters/aws/token-issuers';
import { loadConfig } from '../../src/config';
import { groups, workflowIds } from '../../src/contracts/names';
import type { ServedTenant } from '../../src/contracts/tenant';
import type { JsonPayload } from '../../src/ports/history';
import { dataConverter } from '../adapters/aws/tenants';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { type Answer, type RunningApi, startApi } from './running-api';

interface Decoded {
  readonly payloads: readonly JsonPayload[];
}

const aws = createPlatformClients(loadConfig().aws);
const uiOrigin = new URL(loadConfig().temporal.uiUrl ?? '').origin;
const secret = { note: 'the canary sings' };

let api: RunningApi;
let tenant: ServedTenant;
let operator: Account;
let sealed: JsonPayload;
beforeAll(async () => {
  api = await startApi();
  [tenant, operator] = await Promise.all([newTenant(), signUpOperator()]);
  sealed = await sealedFor(tenant);
});
afterAll(() => api.stop());

/** As a worker wrote it into a session's history, and as Temporal's tools send it. */
async function sealedFor({ tenantId }: ServedTenant): Promise<JsonPayload> {
  const payload = toPayloads(defaultPayloadConverter, secret)?.[0] as Payload;
  const workflowId = workflowIds.session(tenantId, 'ses-1');
  const [{ metadata, data } = payload] = await dataConverter.payloadCodecs[0].encode([payload], { type: 'workflow', namespace: 'default', workflowId });
  const base64 = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString('base64');
  return { metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)])), data: base64(data) };
}

const decode = (payloads: readonly unknown[], request: { token?: string; headers?: Record<string, string> } = {}) =>
  api.send<Decoded & Answer['body']>('/codec/decode', { method: 'POST', body: { payloads }, ...request });
const bytesOf = ({ data }: JsonPayload): Buffer => Buffer.from(data ?? '', 'base64');
/** Names another tenant as its owner: the id stands behind the version and its own length. */
function asOf(tenantId: string, payload: JsonPayload): JsonPayload {
  const bytes = bytesOf(payload);
  const rest = bytes.subarray(2 + bytes.readUInt8(1));
  return { ...payload, data: Buffer.concat([bytes.subarray(0, 1), Buffer.of(tenantId.length), Buffer.from(tenantId), rest]).toString('base64') };
}
const valuesOf = ({ payloads }: Decoded): unknown[] => payloads.map(({ data }) => JSON.parse(Buffer.from(data ?? '', 'base64').toString()) as unknown);
const withCookie = (cookie: string | undefined, origin = uiOrigin) => decode([sealed], { headers: { origin, ...(cookie !== undefined && { cookie }) } });

/** Sends the page's form. */
const signIn = (login: { email: string; password: string }, headers: Record<string, string> = {}, at = api) =>
  fetch(`${at.url}/codec/sign-in`, { method: 'POST', body: new URLSearchParams({ email: login.email, password: login.password }), headers });
const cookieOf = (response: Response) => response.headers.get('set-cookie')?.split(';')[0];

it('shows operators what is in a history', async () => {
  const { status, body, headers } = await decode([sealed, sealed], { token: operator.accessToken });
  expect([status, valuesOf(body), headers.get('cache-control')]).toEqual([200, [secret, secret], 'no-store']);
});

it('takes a body without payloads, as the command line sends one for a query without arguments', async () => {
  expect(await api.send('/codec/encode', { method: 'POST', token: operator.accessToken, body: {} })).toMatchObject({ status: 200, body: { payloads: [] } });
});

it('leaves plain payloads as they are, and encrypts what operators send', async () => {
  const plain = { metadata: { encoding: Buffer.from('json/plain').toString('base64') }, data: Buffer.from('{"a":1}').toString('base64') };
  const token = operator.accessToken;
  expect((await decode([plain], { token })).body.payloads).toEqual([plain]);
  const encoded = await api.send<Decoded>('/codec/encode', { method: 'POST', token, body: { payloads: [plain] } });
  expect(JSON.stringify(encoded.body)).not.toContain(plain.data);
  expect((await decode(encoded.body.payloads, { token })).body.payloads).toEqual([plain]);
});

it("refuses tenants' administrators, and operators without the permission", async () => {
  const administrator = await signUp(tenant, [groups.administrators]);
  expect((await decode([sealed], { token: administrator.accessToken })).body).toMatchObject({ status: 401, code: 'auth/unauthenticated' });
  const former = await signUpOperator();
  const { userPoolId } = await loadOperatorPool(aws);
  await aws.cognito.send(new AdminRemoveUserFromGroupCommand({ UserPoolId: userPoolId, Username: former.email, GroupName: groups.operators }));
  const { accessToken } = await api.adapters.operatorSignIn.signIn(former);
  expect((await decode([sealed], { token: accessToken })).body).toMatchObject({ status: 403, code: 'auth/forbidden' });
});

it.each([
  ['of another shape', { data: 17 }, 'request/malformed'],
  ['not in Base64', { data: '%%%' }, 'request/malformed'],
])('refuses a payload that is %s', async (_what, payload, code) => {
  expect((await decode([payload], { token: operator.accessToken })).body).toMatchObject({ status: 400, code });
});

it('refuses a payload that was changed, or labelled as of another tenant or version', async () => {
  const other = await newTenant();
  const labelled = (name: string, value: string) => ({ ...sealed, metadata: { ...sealed.metadata, [name]: Buffer.from(value).toString('base64') } });
  const bytes = bytesOf(sealed);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  const changed = [{ ...sealed, data: bytes.toString('base64') }, { ...sealed, data: '' }, labelled('encryption-version', '9')];
  for (const payload of changed) expect((await decode([payload], { token: operator.accessToken })).body).toMatchObject({ status: 400, code: 'payload/unreadable' });
  // The other tenant has no such data key.
  expect((await decode([asOf(other.tenantId, sealed)], { token: operator.accessToken })).body).toMatchObject({ status: 503, code: 'key/unavailable' });
});

it('says that a key is disabled, and that a tenant is gone with its key', async () => {
  const left = await newTenant();
  const theirs = await sealedFor(left);
  // Of a process that has not unwrapped the data key.
  const fresh = await startApi();
  const ask = () => fresh.send('/codec/decode', { method: 'POST', token: operator.accessToken, body: { payloads: [theirs] } });
  await aws.kms.send(new DisableKeyCommand({ KeyId: left.infrastructure.keyArn }));
  expect((await ask()).body).toMatchObject({ status: 503, code: 'key/unavailable', detail: expect.stringContaining('DisabledException') as string });
  await aws.kms.send(new EnableKeyCommand({ KeyId: left.infrastructure.keyArn }));
  expect((await ask()).status).toBe(200);
  await fresh.stop();
  expect((await decode([asOf('never-was', theirs)], { token: operator.accessToken })).body).toMatchObject({ status: 503, code: 'key/unavailable', detail: expect.stringContaining('gone') as string });
});

describe('in a browser', () => {
  it('shows a page without scripts to sign in with', async () => {
    const response = await fetch(`${api.url}/codec`);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await response.text()).toContain('<form method="post" action="/codec/sign-in">');
  });

  it('signs in by a cookie no script reads, which only the Temporal UI\'s pages may use', async () => {
    const response = await signIn(operator, { origin: api.url });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain(`Signed in as ${operator.email}`);
    expect(response.headers.get('set-cookie')).toMatch(/^tenure-operator=[^;]+; Path=\/codec; Max-Age=\d+; HttpOnly; Secure; SameSite=Strict$/);
    const cookie = cookieOf(response);
    const { status, body, headers } = await withCookie(cookie);
    expect([status, valuesOf(body)]).toEqual([200, [secret]]);
    expect([headers.get('access-control-allow-origin'), headers.get('access-control-allow-credentials')]).toEqual([uiOrigin, 'true']);
    for (const origin of ['https://evil.example', api.url, 'null']) {
      const refused = await withCookie(cookie, origin);
      expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, null]);
    }
    // Elsewhere in the API the cookie is nothing.
    expect((await api.send('/api/v1/tenants', { headers: { origin: uiOrigin, cookie: cookie ?? '' } })).status).toBe(401);
    expect((await withCookie(undefined)).headers.get('access-control-allow-origin')).toBe(uiOrigin);
  });

  it('answers the preflight of the Temporal UI, and of nobody else', async () => {
    const preflight = (origin: string) =>
      fetch(`${api.url}/codec/decode`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type,x-namespace' } });
    const { status, headers } = await preflight(uiOrigin);
    expect([status, headers.get('access-control-allow-origin'), headers.get('access-control-allow-methods')]).toEqual([204, uiOrigin, 'POST']);
    expect(headers.get('access-control-allow-headers')?.toLowerCase()).toContain('x-namespace');
    const stranger = await preflight('https://evil.example');
    expect([stranger.status, stranger.headers.get('access-control-allow-origin')]).toEqual([405, null]);
  });

  it('says when the password is wrong, with nothing of what was typed in its markup', async () => {
    const response = await signIn({ email: operator.email, password: '"><script>alert(1)</script>' });
    expect([response.status, response.headers.get('set-cookie')]).toEqual([401, null]);
    const text = await response.text();
    expect(text).toContain('User name or password are wrong.');
    expect(text).not.toContain('<script>');
  });

  it("lets no other page sign a browser in", async () => {
    const response = await signIn(operator, { origin: 'https://evil.example' });
    expect([response.status, response.headers.get('set-cookie'), response.headers.get('content-type')]).toEqual([403, null, 'text/html; charset=utf-8']);
    expect(await response.text()).toContain('Sign in on the page at /codec.');
  });

  it('signs nobody in where no Temporal UI is known, and says what is missing', async () => {
    const alone = await startApi({ temporalUiUrl: undefined });
    const response = await signIn(operator, {}, alone);
    expect([response.status, response.headers.get('set-cookie')]).toEqual([404, null]);
    expect(await response.text()).toContain('TEMPORAL_UI_URL');
    await alone.stop();
  });

  it('slows guessing down', async () => {
    const email = `guessed-${operator.email}`;
    const statuses = [];
    for (let attempt = 0; attempt < 12; attempt += 1) statuses.push((await signIn({ email, password: 'guess' })).status);
    expect(statuses.slice(0, 10).every((status) => status === 401)).toBe(true);
    expect(statuses.at(-1)).toBe(429);
  });

  it('takes the cookie back', async () => {
    const response = await fetch(`${api.url}/codec/sign-out`, { method: 'POST' });
    expect(response.headers.get('set-cookie')).toMatch(/^tenure-operator=; Path=\/codec; Max-Age=0;/);
  });
});
