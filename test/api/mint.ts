import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import { groups, machineAccess } from '../../src/contracts/names';
import type { ServedTenant } from '../../src/contracts/tenant';
import type { TokenIssuer, TokenIssuers } from '../../src/ports/identity';

type Pool = Parameters<TokenIssuers['tenant']>[0];
export type Claims = Readonly<Record<string, unknown>>;

const part = (value: unknown): string => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
export const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

const operatorPool: Pool = { userPoolId: 'us-east-1_operators', userPoolClientId: 'operators-client' };

/**
 * Pools whose keys are a test's own, published as Cognito publishes them: what Cognito would never sign is signed here. All that checks
 * tokens is as in production. The keys do not say their algorithm, as Cognito's do: that must not be what pins it.
 */
export class Mint {
  private readonly keys = new Map<string, { privateKey: KeyObject; publicKey: KeyObject }>();
  readonly stranger = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  private readonly server: Server = createServer((request, response) => {
    const [, poolId = ''] = request.url?.split('/') ?? [];
    const jwk = this.keyOf(poolId).publicKey.export({ format: 'jwk' });
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [{ ...jwk, kid: poolId, use: 'sig' }] }));
  });
  private origin = '';

  static async start(): Promise<Mint> {
    const mint = new Mint();
    mint.server.listen(0, '127.0.0.1');
    await once(mint.server, 'listening');
    mint.origin = `http://127.0.0.1:${(mint.server.address() as AddressInfo).port}`;
    return mint;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private keyOf(poolId: string) {
    const known = this.keys.get(poolId) ?? generateKeyPairSync('rsa', { modulusLength: 2_048 });
    this.keys.set(poolId, known);
    return known;
  }

  private issuerOf = ({ userPoolId, userPoolClientId }: Pool): TokenIssuer => ({
    issuer: `https://cognito-idp.us-east-1.amazonaws.com/${userPoolId}`,
    jwksUrl: `${this.origin}/${userPoolId}/.well-known/jwks.json`,
    clientIds: [userPoolClientId],
  });

  readonly issuers: TokenIssuers = { tenant: (pool) => ({ ...this.issuerOf(pool), hasMachineClients: true }), operators: () => Promise.resolve(this.issuerOf(operatorPool)) };

  /** A good token of a user of the tenant; of an operator without one. An undefined claim is left out. */
  token(tenant: ServedTenant | undefined, claims: Claims = {}, header: Claims = {}): string {
    const pool = tenant?.infrastructure ?? operatorPool;
    return this.signed(pool, this.headerOf(pool, header), this.claimsOf(tenant, claims));
  }

  /** A good token of a machine client, by client credentials. */
  machineToken(tenant: ServedTenant | undefined, oauthClientId: string, permissions: readonly string[], claims: Claims = {}): string {
    const scope = permissions.map(machineAccess.scope).join(' ');
    return this.token(tenant, { sub: oauthClientId, client_id: oauthClientId, 'cognito:groups': undefined, scope, ...claims });
  }

  private headerOf = (pool: Pool, header: Claims): Claims => ({ alg: 'RS256', kid: pool.userPoolId, ...header });

  private claimsOf(tenant: ServedTenant | undefined, claims: Claims): Claims {
    const pool = tenant?.infrastructure ?? operatorPool;
    const now = nowSeconds();
    const usual = { token_use: 'access', client_id: pool.userPoolClientId, iat: now, auth_time: now, exp: now + 3_600, jti: randomUUID(), scope: 'aws.cognito.signin.user.admin' };
    return { sub: randomUUID(), iss: this.issuerOf(pool).issuer, ...usual, 'cognito:groups': [tenant ? groups.administrators : groups.operators], ...claims };
  }

  private signed(pool: Pool, header: Claims, payload: unknown, key = this.keyOf(pool.userPoolId).privateKey): string {
    const text = `${part(header)}.${part(payload)}`;
    return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
  }

  /** Everything that is no token of this pool, by what is wrong with it. All claims are those of somebody who may do everything. */
  broken(tenant: ServedTenant | undefined): Record<string, string> {
    const pool = tenant?.infrastructure ?? operatorPool;
    const { publicKey, privateKey } = this.keyOf(pool.userPoolId);
    const good = this.token(tenant);
    const [header = '', payload = '', signature = ''] = good.split('.');
    const claims = this.claimsOf(tenant, {});
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    const jwk = publicKey.export({ format: 'jwk' });
    const strangersJwk = this.stranger.publicKey.export({ format: 'jwk' });
    const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const hmac = (secret: string | Buffer, head: Claims) => {
      const text = `${part(this.headerOf(pool, { alg: 'HS256', ...head }))}.${payload}`;
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    };
    const otherwise = (alg: string, hash: string, options = {}) => {
      const text = `${part(this.headerOf(pool, { alg }))}.${payload}`;
      return `${text}.${sign(hash, Buffer.from(text), { key: privateKey, ...options }).toString('base64url')}`;
    };
    const byStranger = (head: Claims) => this.signed(pool, this.headerOf(pool, head), claims, this.stranger.privateKey);
    const es256 = () => {
      const text = `${part({ alg: 'ES256', kid: pool.userPoolId, jwk: elliptic.publicKey.export({ format: 'jwk' }) })}.${payload}`;
      return `${text}.${sign('sha256', Buffer.from(text), { key: elliptic.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
    };
    const withClaims = (changed: Claims) => this.token(tenant, changed);
    const past = nowSeconds() - 60;
    // Long after the slowest machine is through.
    const future = nowSeconds() + 3_600;
    return {
      'nothing but letters': 'garbage',
      'three parts of nothing': 'a.b.c',
      'one part too many': `${good}.${signature}`,
      'a header alone': header,
      'a header and a payload': `${header}.${payload}`,
      'longer than any token': this.token(tenant, { padding: 'x'.repeat(8_000) }),
      'alg none': `${part({ alg: 'none', typ: 'JWT' })}.${payload}.`,
      'alg None': `${part({ alg: 'None', kid: pool.userPoolId })}.${payload}.`,
      'alg none, with a signature': `${part({ alg: 'none', kid: pool.userPoolId })}.${payload}.${signature}`,
      'no alg': this.signed(pool, { kid: pool.userPoolId }, claims),
      'HS256 under the public key': hmac(pem.toString(), {}),
      'HS256 under the modulus': hmac(Buffer.from(jwk.n ?? '', 'base64url'), {}),
      'HS256 under nothing': hmac('', {}),
      'RS512 by the right key': otherwise('RS512', 'sha512'),
      'RS384 by the right key': otherwise('RS384', 'sha384'),
      'PS256 by the right key': otherwise('PS256', 'sha256', { padding: 6, saltLength: 32 }),
      'ES256 by a key it brings': es256(),
      'a stranger’s key under a known name': byStranger({}),
      'a key in the header': byStranger({ jwk: strangersJwk }),
      'a key at an address of its own': byStranger({ jku: `${this.origin}/stranger/jwks.json`, kid: 'stranger' }),
      'a certificate at an address of its own': byStranger({ x5u: `${this.origin}/stranger.pem` }),
      'a certificate in the header': byStranger({ x5c: [Buffer.from('certificate').toString('base64')] }),
      'a key nobody has': byStranger({ kid: 'nobodys' }),
      'no key’s name, and a stranger’s key': byStranger({ kid: undefined }),
      'a path for a key’s name': byStranger({ kid: '../../../../dev/null' }),
      'a query for a key’s name': byStranger({ kid: "' OR 1=1 --" }),
      'the signature of another token': `${header}.${payload}.${this.token(tenant).split('.')[2] ?? ''}`,
      'half a signature': `${header}.${payload}.${signature.slice(0, 100)}`,
      'no signature': `${header}.${payload}.`,
      'claims that were changed': `${header}.${part({ ...claims, 'cognito:groups': ['administrators', 'operators'] })}.${signature}`,
      'a payload elsewhere': `${header}..${signature}`,
      'a payload that is no JSON': this.signed(pool, this.headerOf(pool, {}), 'not json'),
      'a payload that is a list': this.signed(pool, this.headerOf(pool, {}), [claims]),
      'encrypted': `${part({ alg: 'dir', enc: 'A256GCM' })}..${part('iv')}.${part('text')}.${part('tag')}`,
      'compressed': this.signed(pool, this.headerOf(pool, { zip: 'DEF' }), deflateRawSync(JSON.stringify(claims)).toString('latin1')),
      'an extension nobody knows': this.token(tenant, {}, { crit: ['secret'], secret: true }),
      'unencoded payload': this.token(tenant, {}, { crit: ['b64'], b64: false }),
      'expired': withClaims({ exp: past }),
      'without end': withClaims({ exp: undefined }),
      'an end that is a text': withClaims({ exp: String(future) }),
      'an end that is no number': withClaims({ exp: null }),
      'not valid yet': withClaims({ nbf: future }),
      'minted in the future': withClaims({ iat: future }),
      'never minted': withClaims({ iat: undefined }),
      'of another issuer': withClaims({ iss: 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_other' }),
      'of no issuer': withClaims({ iss: undefined }),
      'an issuer with a slash': withClaims({ iss: `${this.issuerOf(pool).issuer}/` }),
      'a list of issuers': withClaims({ iss: [this.issuerOf(pool).issuer] }),
      'of another client': withClaims({ client_id: 'another' }),
      'of no client': withClaims({ client_id: undefined }),
      'a list of clients': withClaims({ client_id: [pool.userPoolClientId] }),
      'an id token': withClaims({ token_use: 'id', aud: pool.userPoolClientId, client_id: undefined }),
      'an id token that names the client': withClaims({ token_use: 'id' }),
      'a refresh token': withClaims({ token_use: 'refresh' }),
      'of no use': withClaims({ token_use: undefined }),
      'nobody’s': withClaims({ sub: undefined }),
      'of somebody without a name': withClaims({ sub: '' }),
      'of a number': withClaims({ sub: 17 }),
      'groups that are a text': withClaims({ 'cognito:groups': 'administrators' }),
      'groups that are numbers': withClaims({ 'cognito:groups': [1] }),
    };
  }
}
