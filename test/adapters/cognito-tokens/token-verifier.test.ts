import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { createPlatformClients } from '../../../src/adapters/aws/clients';
import { randomPassword } from '../../../src/adapters/aws/passwords';
import { createTokenIssuers, loadOperatorPool } from '../../../src/adapters/aws/token-issuers';
import { createTokenVerifier } from '../../../src/adapters/cognito-tokens/token-verifier';
import { createOperator } from '../../../src/bootstrap';
import { loadConfig } from '../../../src/config';
import { codeOf } from '../../../src/contracts/errors';
import { groups } from '../../../src/contracts/names';
import type { TokenIssuer } from '../../../src/ports/identity';
import { signIn } from '../../api/accounts';

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;
type Answer = readonly [status: number, body: string];

/** A pool's address for keys, whose answer a test sets; it counts who asks. */
class KeyServer {
  answer: Answer | 'silence' = [404, ''];
  asked = 0;
  private readonly server: Server = createServer((_request, response) => {
    this.asked += 1;
    if (this.answer !== 'silence') response.writeHead(this.answer[0], { 'content-type': 'application/json' }).end(this.answer[1]);
  });

  async start(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/jwks.json`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

const kid = 'key-1';
const keys = new KeyServer();
let ours: KeyPair;
let theirs: KeyPair;
let jwks: string;
let issuer: TokenIssuer;
beforeAll(async () => {
  [ours, theirs] = await Promise.all([generateKeyPair('RS256'), generateKeyPair('RS256')]);
  jwks = JSON.stringify({ keys: [{ ...(await exportJWK(ours.publicKey)), kid, alg: 'RS256', use: 'sig' }] });
  issuer = { issuer: 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_pool', jwksUrl: await keys.start(), clientIds: ['client-1', 'client-0'] };
});
beforeEach(() => {
  keys.answer = [200, jwks];
  keys.asked = 0;
});
afterAll(() => keys.close());

const nowSeconds = () => Math.floor(Date.now() / 1_000);
const claims = (): JWTPayload => ({
  iss: issuer.issuer,
  sub: 'user-1',
  client_id: issuer.clientIds[0],
  token_use: 'access',
  exp: nowSeconds() + 3_600,
  iat: nowSeconds(),
  'cognito:groups': [groups.members],
});

interface Forged {
  /** An undefined claim is left out. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: object;
  readonly key?: KeyPair;
}
const token = ({ claims: changed = {}, header = {}, key = ours }: Forged = {}): Promise<string> =>
  new SignJWT({ ...claims(), ...changed }).setProtectedHeader({ alg: 'RS256', kid, ...header }).sign(key.privateKey);

const verify = async (text: string | Promise<string>, verifier = createTokenVerifier()) => verifier.verify(await text, issuer);
const codeFor = (text: string | Promise<string>) => verify(text).then(() => 'none', codeOf);

it('reads who a token of the pool is for', async () => {
  const [exp, iat, signedIn] = [nowSeconds() + 60, nowSeconds(), nowSeconds() - 600];
  const times = { expiresAtMs: exp * 1_000, issuedAtMs: iat * 1_000 };
  expect(await verify(token({ claims: { exp, iat } }))).toEqual({ userId: 'user-1', groups: [groups.members], ...times, signedInAtMs: iat * 1_000 });
  // One that was renewed since.
  expect(await verify(token({ claims: { exp, iat, auth_time: signedIn } }))).toMatchObject({ ...times, signedInAtMs: signedIn * 1_000 });
  expect(await verify(token({ claims: { 'cognito:groups': undefined } }))).toMatchObject({ groups: [] });
});

it('tells a client’s own token from a user’s, where the pool has machine clients', async () => {
  const verifier = createTokenVerifier();
  const itsOwn = token({ claims: { sub: 'client-2', client_id: 'client-2', scope: 'tenure/read:session tenure/read:usage' } });
  const machines = { ...issuer, hasMachineClients: true };
  const verified = await verifier.verify(await itsOwn, machines);
  expect(verified).toMatchObject({ oauthClientId: 'client-2', scopes: ['tenure/read:session', 'tenure/read:usage'] });
  expect(verified).not.toHaveProperty('groups');
  expect(await codeFor(itsOwn)).toBe('auth/unauthenticated');
  const usersThroughIt = await token({ claims: { client_id: 'client-2' } });
  expect(await verifier.verify(usersThroughIt, machines).then(() => 'none', codeOf)).toBe('auth/unauthenticated');
});

it('allows clocks to differ by a few seconds', async () => {
  expect(await codeFor(token({ claims: { exp: nowSeconds() - 2, nbf: nowSeconds() + 2 } }))).toBe('none');
});

it.each<[string, Forged]>([
  ['has expired', { claims: { exp: 1_700_000_000 } }],
  ['is not valid yet', { claims: { nbf: 4_000_000_000 } }],
  ['was minted in the future', { claims: { iat: 4_000_000_000 } }],
  ['does not say when it was minted', { claims: { iat: undefined } }],
  ['never expires', { claims: { exp: undefined } }],
  ['names another issuer', { claims: { iss: 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_other' } }],
  ['names no issuer', { claims: { iss: undefined } }],
  ['is another client’s', { claims: { client_id: 'client-2' } }],
  ['is an id token', { claims: { token_use: 'id', aud: 'client-1', client_id: undefined } }],
  ['is an id token that names the client', { claims: { token_use: 'id' } }],
  ['is for nobody', { claims: { sub: undefined } }],
  ['has groups that are no list', { claims: { 'cognito:groups': 'operators' } }],
  ['is signed by a key the pool does not have', { header: { kid: 'key-2' } }],
])('refuses a token that %s', async (_what, forged) => {
  expect(await codeFor(token(forged))).toBe('auth/unauthenticated');
});

it('refuses the signature of another key under the name of a known one', async () => {
  expect(await codeFor(token({ key: theirs }))).toBe('auth/unauthenticated');
});

it('refuses a token without a signature, and one whose secret is the public key', async () => {
  expect(await codeFor(new UnsecuredJWT(claims()).encode())).toBe('auth/unauthenticated');
  const unsigned = [{ alg: 'HS256', kid }, claims()].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const signature = createHmac('sha256', await exportSPKI(ours.publicKey)).update(unsigned).digest('base64url');
  expect(await codeFor(`${unsigned}.${signature}`)).toBe('auth/unauthenticated');
});

it('refuses what is no token', async () => {
  for (const text of ['', 'x', 'a.b.c', '....', 'eyJhbGciOiJSUzI1NiJ9..', '{}', '\u0000', 'x'.repeat(100_000)]) expect([text, await codeFor(text)]).toEqual([text, 'auth/unauthenticated']);
});

it('says nothing of the token in its refusal', async () => {
  const secret = randomUUID();
  const refusal = await verify(token({ claims: { iss: secret } })).catch((error: unknown) => error);
  expect(String(refusal)).not.toContain(secret);
});

describe('the keys', () => {
  it('are fetched once for many tokens', async () => {
    const verifier = createTokenVerifier();
    await Promise.all([verify(token(), verifier), verify(token(), verifier)]);
    await verify(token(), verifier);
    expect(keys.asked).toBe(1);
  });

  it('are not fetched for every made-up key id', async () => {
    const verifier = createTokenVerifier();
    await verify(token(), verifier);
    for (const made of ['a', 'b', 'c']) await expect(verify(token({ header: { kid: made } }), verifier)).rejects.toThrow();
    expect(keys.asked).toBe(1);
  });

  it.each<[string, Answer | 'silence']>([
    ['an error', [500, '']],
    ['something else', [200, '<html>']],
    ['no key set', [200, '{}']],
    ['silence', 'silence'],
  ])('that cannot be read (%s) are no fault of the token, and are asked for again', async (_what, answer) => {
    const verifier = createTokenVerifier({ pauseAfterFailureMs: 0 });
    keys.answer = answer;
    expect(await verify(token(), verifier).then(() => 'none', codeOf)).toBe('dependency/unavailable');
    keys.answer = [200, jwks];
    expect(await verify(token(), verifier)).toMatchObject({ userId: 'user-1' });
  });

  it('that cannot be read are asked for once in a while, however many tokens come', async () => {
    const verifier = createTokenVerifier();
    keys.answer = [500, ''];
    for (let count = 0; count < 20; count += 1) expect(await verify(token(), verifier).then(() => 'none', codeOf)).toBe('dependency/unavailable');
    expect(keys.asked).toBe(1);
  });

  it('are read anew when the pool has another, but not more often than the pause', async () => {
    const verifier = createTokenVerifier({ cooldownMs: 500 });
    const next = { ...(await exportJWK(theirs.publicKey)), kid: 'key-2', alg: 'RS256', use: 'sig' };
    const renewed = token({ key: theirs, header: { kid: 'key-2' } });
    const rotated = () => verify(renewed, verifier).then(() => 'none', codeOf);
    await verify(token(), verifier);
    keys.answer = [200, JSON.stringify({ keys: [...(JSON.parse(jwks) as { keys: object[] }).keys, next] })];
    expect([await rotated(), keys.asked]).toEqual(['auth/unauthenticated', 1]);
    const rotatedAtMs = performance.now();
    while ((await rotated()) !== 'none') expect([keys.asked <= 2, performance.now() - rotatedAtMs < 10_000]).toEqual([true, true]);
    expect(keys.asked).toBe(2);
  });

  it('that the pool withdrew are taken no longer than they are kept', async () => {
    const verifier = createTokenVerifier({ cooldownMs: 0, maxKeyAgeMs: 100 });
    const old = await token();
    await verify(old, verifier);
    keys.answer = [200, JSON.stringify({ keys: [{ ...(await exportJWK(theirs.publicKey)), kid: 'key-2', alg: 'RS256', use: 'sig' }] })];
    const askedAtMs = performance.now();
    for (let code: unknown = 'none'; code === 'none'; code = await verify(old, verifier).then(() => 'none', codeOf)) expect(performance.now() - askedAtMs).toBeLessThan(10_000);
  });

  it('at an address where nobody listens are no fault of the token', async () => {
    const away = createTokenVerifier().verify(await token(), { ...issuer, jwksUrl: 'http://127.0.0.1:1/jwks.json' });
    expect(await away.then(() => 'none', codeOf)).toBe('dependency/unavailable');
  });
});

describe('of Cognito', () => {
  const config = loadConfig();
  const aws = createPlatformClients(config.aws);

  it('an access token is taken, an id token is not', async () => {
    const login = { email: `${randomUUID()}@example.com`, password: randomPassword() };
    await createOperator(config, login);
    const signedIn = await signIn(await loadOperatorPool(aws), login);
    const operators = await createTokenIssuers({ settings: config.aws, ssm: aws.ssm }).operators();
    const verifier = createTokenVerifier();
    const verified = await verifier.verify(signedIn.accessToken, operators);
    expect(verified).toMatchObject({ groups: [groups.operators] });
    expect(verified.expiresAtMs).toBeGreaterThan(Date.now());
    expect(await verifier.verify(signedIn.idToken, operators).then(() => 'none', codeOf)).toBe('auth/unauthenticated');
    expect(await verifier.verify(signedIn.accessToken, issuer).then(() => 'none', codeOf)).toBe('auth/unauthenticated');
  });
});
