import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf } from '../../src/contracts/errors';
import { isDelta, type SessionEvent } from '../../src/contracts/events';
import { groups } from '../../src/contracts/names';
import type { SessionRecord } from '../../src/contracts/session';
import { AgentConfig, type ServedTenant } from '../../src/contracts/tenant';
import { type OAuthClient, type ToolSource, ToolSourceSettings } from '../../src/contracts/tool-source';
import { modelControl } from '../../src/local/model/control';
import type { ScriptStep } from '../../src/local/model/scripts';
import type { Bearer } from '../../src/ports/tool-sources';
import { type AuthorizationServer, listen, startAuthorizationServer, stop } from '../support/authorization-server';
import { type ProtectedServer, startProtectedServer } from '../support/protected-mcp-server';
import { type Account, newTenant, signUp } from './accounts';
import { isTurnEnd, readEvents, readUntil } from './events';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

jest.setTimeout(60_000);

interface Source {
  readonly hasSecret: boolean;
  readonly tools: { readonly name: string }[];
  readonly origins: string[];
  readonly problem?: { readonly code: string; readonly message: string };
}

const model = modelControl(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');
/** With all that an encoding can spoil. */
const secret = `canary+${randomUUID()} %:e`;
const client = { clientId: 'tenure at acme', scopes: ['docs.read'] };
const stops: (() => void)[] = [];
let issuer: AuthorizationServer;
let docs: ProtectedServer;
let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let admin: Account;

const kept = <T extends { stop(): void }>(one: T): T => {
  stops.push(() => one.stop());
  return one;
};

beforeAll(async () => {
  issuer = kept(await startAuthorizationServer({ clients: [{ clientId: client.clientId, secret }, { clientId: 'by form', secret, token_endpoint_auth_method: 'client_secret_post' }] }));
  docs = kept(await startProtectedServer(issuer));
  [api, tenant] = await Promise.all([startApi(), newTenant()]);
  admin = await signUp(tenant, [groups.administrators]);
  await allow(issuer.issuer, docs.url);
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId]);
}, 120_000);
afterAll(async () => {
  for (const end of stops) end();
  await stopWorkers();
  await api.stop();
});

/** Sets which servers the tenant's agent may call. */
const allow = (...urls: string[]) => api.adapters.configs.put(tenant.tenantId, AgentConfig.parse({ tools: ['docs__*', 'shop__*'], allowedOrigins: urls.map((url) => new URL(url).origin) }));

const sourcePath = (name: string) => `/api/v1/tenants/${tenant.tenantId}/tool-sources/${name}`;
const put = <Body = Source>(name: string, body: object) => api.send<Body>(sourcePath(name), { method: 'PUT', token: admin.accessToken, body });
const show = async (name: string) => (await api.send<Source>(sourcePath(name), { token: admin.accessToken })).body;
const codeFrom = (promise: Promise<unknown>) => promise.then(() => 'nothing thrown', codeOf);

async function turnWith(calls: ScriptStep['calls']): Promise<SessionEvent[]> {
  const text = `do ${randomUUID()}`;
  await model.script({ match: text, steps: [{ calls }, { say: 'Done.' }] });
  const { body: session } = await api.send<SessionRecord>(`/api/v1/tenants/${tenant.tenantId}/sessions`, { method: 'POST', token: admin.accessToken, body: {} });
  const at = `/api/v1/tenants/${tenant.tenantId}/sessions/${session.sessionId}`;
  await api.send(`${at}/messages`, { method: 'POST', token: admin.accessToken, body: { text } });
  const received = await readUntil(readEvents(`${api.url}${at}/events?after=0`, { token: admin.accessToken }), isTurnEnd);
  return received.flatMap(({ entry }) => (isDelta(entry) ? [] : [entry]));
}

const resultsOf = (events: readonly SessionEvent[]) =>
  events.flatMap((event) => (event.type === 'tool.completed' ? [event.output] : event.type === 'tool.failed' ? [{ code: event.code, message: event.message }] : []));

interface Asking {
  readonly url?: string;
  readonly oauth?: OAuthClient;
  readonly shown?: string;
  readonly issuers?: readonly string[];
}

/** What gets tokens of a source that is being set. */
async function bearerOf({ url = docs.url, oauth = client, shown = secret, issuers = [issuer.issuer] }: Asking = {}): Promise<Bearer> {
  const source = { name: randomUUID(), settings: ToolSourceSettings.parse({ kind: 'mcp', url, oauth }), secretOrigins: [] };
  const { bearer } = await api.adapters.sourceCredentials.of(tenant.tenantId, source, { url, issuers, secret: shown });
  if (!bearer) throw new TypeError('No bearer');
  return bearer;
}

describe('a server of the Model Context Protocol that takes tokens alone', () => {
  it('is called with a token for it; secret and token stand in no prompt, event, answer or error', async () => {
    const before = issuer.asked.length;
    const made = await put('docs', { settings: { kind: 'mcp', url: docs.url, oauth: client }, secret });
    expect(made).toMatchObject({ status: 200, body: { hasSecret: true, origins: [new URL(docs.url).origin, issuer.issuer] } });
    const events = await turnWith([{ name: 'docs__look', input: {} }, { name: 'docs__stumble', input: {} }]);
    const results = resultsOf(events);
    expect(results).toContainEqual('seen with [secret]');
    expect(results).toContainEqual({ code: 'tool/refused', message: 'stumbled over [secret]' });
    expect(docs.calls).toEqual([issuer.issued.at(-1)]);
    // One for the listing, one for the calls of both: API and tools share a process here, but not the secret that was being set.
    const asked = issuer.asked.slice(before);
    expect(asked).toHaveLength(2);
    expect(asked.map(({ form }) => Object.fromEntries(form))).toEqual(asked.map(() => ({ grant_type: 'client_credentials', scope: 'docs.read', resource: docs.url })));

    const { latest } = await model.served();
    const { body } = await api.send(`/api/v1/tenants/${tenant.tenantId}/tool-sources`, { token: admin.accessToken });
    const all = JSON.stringify([latest, events, made.body, body]);
    expect(all).toContain('docs__look');
    for (const hidden of [secret, encodeURIComponent(secret), ...issuer.issued]) expect(all).not.toContain(hidden);
  });

  it('has one token for all calls of an hour, and a new one when it takes that no longer', async () => {
    const before = { calls: docs.calls.length, asked: issuer.asked.length };
    await turnWith([{ name: 'docs__look', input: {} }]);
    expect(issuer.asked).toHaveLength(before.asked);
    const taken = issuer.issued.at(-1) ?? '';
    await issuer.revoke(taken);
    expect(resultsOf(await turnWith([{ name: 'docs__look', input: {} }, { name: 'docs__look', input: {} }]))).toEqual(['seen with [secret]', 'seen with [secret]']);
    expect(issuer.asked).toHaveLength(before.asked + 1);
    expect(new Set(docs.calls.slice(before.calls))).toEqual(new Set([taken, issuer.issued.at(-1)]));
  });

  it('is called once though the answer with the token was lost', async () => {
    const before = { calls: docs.calls.length, asked: issuer.asked.length };
    await issuer.revoke(issuer.issued.at(-1) ?? '');
    issuer.fates.push('is lost');
    expect(resultsOf(await turnWith([{ name: 'docs__look', input: {} }]))).toEqual(['seen with [secret]']);
    expect(issuer.asked).toHaveLength(before.asked + 2);
    expect(docs.calls).toHaveLength(before.calls + 1);
  });

  it("is the administrator's to put right when its client is not taken: who looks at it is told", async () => {
    expect(await put('bad', { settings: { kind: 'mcp', url: docs.url, oauth: client }, secret: 'another' })).toMatchObject({ status: 422, body: { code: 'tool/credential-refused' } });
    expect(await api.send(sourcePath('bad'), { token: admin.accessToken })).toMatchObject({ status: 404 });

    const { toolSecrets, toolSources } = api.adapters;
    await toolSecrets.put(tenant.tenantId, (await toolSources.get(tenant.tenantId, 'docs')) as ToolSource, 'another');
    await issuer.revoke(issuer.issued.at(-1) ?? '');
    const message = `${issuer.issuer} does not take client ${client.clientId} with this secret.`;
    expect(resultsOf(await turnWith([{ name: 'docs__look', input: {} }]))).toEqual([{ code: 'tool/credential-refused', message }]);
    // It is written down beside the turn.
    while (!(await show('docs')).problem) await delay(5);
    expect((await show('docs')).problem).toMatchObject({ code: 'tool/credential-refused', message });

    const check = () => api.send<Source>(`${sourcePath('docs')}/check`, { method: 'POST', token: admin.accessToken, body: {} });
    expect(await check()).toMatchObject({ status: 200, body: { problem: { code: 'tool/credential-refused' } } });

    const repaired = await api.send<Source>(`${sourcePath('docs')}/secret`, { method: 'PUT', token: admin.accessToken, body: { secret } });
    expect(repaired.status).toBe(200);
    expect(repaired.body.problem).toBeUndefined();
    expect((await check()).body.problem).toBeUndefined();
    expect(resultsOf(await turnWith([{ name: 'docs__look', input: {} }]))).toEqual(['seen with [secret]']);
  });

  it('is not called while who issues its tokens is not on the list', async () => {
    await allow(docs.url);
    const before = issuer.asked.length;
    expect(resultsOf(await turnWith([{ name: 'docs__look', input: {} }]))).toEqual([{ code: 'tool/egress-refused', message: expect.stringContaining(`${issuer.issuer} would issue tokens`) as unknown }]);
    expect(issuer.asked).toHaveLength(before);
    await allow(issuer.issuer, docs.url);
  });

  it('that is another one now is shown no token', async () => {
    const other = kept(await startProtectedServer(issuer, { audience: () => docs.url, resource: () => docs.url }));
    await allow(issuer.issuer, docs.url, other.url);
    const before = issuer.asked.length;
    expect(await put('docs', { settings: { kind: 'mcp', url: other.url, oauth: client } })).toMatchObject({ status: 422, body: { code: 'tool/credential-refused', detail: expect.stringContaining('set for other servers') as unknown } });
    expect(issuer.asked).toHaveLength(before);
    expect(await put('docs', { settings: { kind: 'mcp', url: docs.url, oauth: client, credential: {} } })).toMatchObject({ status: 422, body: { code: 'request/inconsistent' } });
  });
});

describe('tokens', () => {
  it('are fetched once for all who want the same at once, and once more for all whose was refused', async () => {
    const bearer = await bearerOf();
    const before = issuer.asked.length;
    const tokens = await Promise.all(Array.from({ length: 20 }, () => bearer()));
    expect(new Set(tokens.map(({ value }) => value)).size).toBe(1);
    expect(issuer.asked).toHaveLength(before + 1);
    const [{ value: refused } = { value: '' }] = tokens;
    const later = await Promise.all(Array.from({ length: 20 }, () => bearer(refused)));
    expect(new Set(later.map(({ value }) => value))).toEqual(new Set([issuer.issued.at(-1)]));
    expect(issuer.asked).toHaveLength(before + 2);
    // Who comes late with the old one has what the others have.
    expect((await bearer(refused)).value).toBe(issuer.issued.at(-1));
    expect(issuer.asked).toHaveLength(before + 2);
  });

  it('are replaced when their time is over', async () => {
    const brief = kept(await startAuthorizationServer({ clients: [{ clientId: client.clientId, secret }], tokenSeconds: 2 }));
    const bearer = await bearerOf({ oauth: { ...client, tokenEndpoint: `${brief.issuer}/token` }, issuers: [brief.issuer] });
    const { value } = await bearer();
    expect((await bearer()).value).toBe(value);
    while ((await bearer()).value === value) await delay(20);
    expect(brief.asked).toHaveLength(2);
  });

  it('are not shared by sources, tenants, or those who may ask others', async () => {
    const source = { name: 'docs', settings: ToolSourceSettings.parse({ kind: 'mcp', url: docs.url, oauth: client }), secretOrigins: [issuer.issuer], tokenOrigins: [new URL(docs.url).origin] };
    const { sourceCredentials, toolSecrets } = api.adapters;
    await toolSecrets.put(tenant.tenantId, source, secret);
    const bearerFor = async (changes: object, issuers = [issuer.issuer]) => (await sourceCredentials.of(tenant.tenantId, { ...source, ...changes }, { url: docs.url, issuers })).bearer;
    const one = await (await bearerFor({}))?.();
    expect(await (await bearerFor({}))?.()).toEqual(one);
    // There is no secret of the other name: nothing is taken from the first.
    expect(await codeFrom((await bearerFor({ name: 'other' }))?.() ?? Promise.resolve())).toBe('tool/credential-refused');
    expect(await codeFrom((await bearerFor({}, ['https://another.example.com']))?.() ?? Promise.resolve())).toBe('tool/egress-refused');
    expect(await codeFrom((await bearerFor({ secretOrigins: ['https://another.example.com'] }))?.() ?? Promise.resolve())).toBe('tool/egress-refused');
  });

  it.each([
    ['the secret is wrong', { shown: 'wrong' }, 'tool/credential-refused'],
    ['the client is unknown', { oauth: { clientId: 'nobody' } }, 'tool/credential-refused'],
    ['it may not have the scope', { oauth: { ...client, scopes: ['docs.write'] } }, 'tool/scope-insufficient'],
    ['it may not have tokens for that', { oauth: { ...client, resource: 'https://example.com/unknown' } }, 'tool/credential-refused'],
  ])('are refused for good when %s', async (_why, asking, code) => {
    expect(await codeFrom((await bearerOf(asking))())).toBe(code);
  });

  it.each(['stays away', 'is lost'] as const)('are asked for again when the answer %s', async (fate) => {
    const bearer = await bearerOf();
    issuer.fates.push(fate);
    expect(await codeFrom(bearer())).toBe('tool/unreachable');
    expect((await bearer()).value).toBe(issuer.issued.at(-1));
  });

  it('cannot be had while nobody issues them', async () => {
    expect(await codeFrom((await bearerOf({ oauth: { ...client, tokenEndpoint: 'http://127.0.0.1:1/token' }, issuers: ['http://127.0.0.1:1'] }))())).toBe('tool/unreachable');
    expect(await codeFrom((await bearerOf({ oauth: { ...client, tokenEndpoint: `${issuer.issuer}/nowhere` } }))())).toBe('tool/no-token');
  });

  it('are asked for as the client is registered', async () => {
    expect(await (await bearerOf({ oauth: { clientId: 'by form', authentication: 'post' } }))()).toMatchObject({ value: issuer.issued.at(-1) });
    expect(issuer.asked.at(-1)).toMatchObject({ authorization: undefined });
  });

  it('are asked for nowhere but where they may be', async () => {
    let led = 0;
    const { server, origin: elsewhere } = await listen((_request, response) => void response.end(String((led += 1))));
    stops.push(() => stop(server));
    const redirecting = await listen((_request, response) => void response.writeHead(307, { location: `${elsewhere}/token` }).end());
    stops.push(() => stop(redirecting.server));
    const misled = kept(await startProtectedServer(issuer, { issuer: elsewhere }));
    const asked = issuer.asked.length;
    const to = (tokenEndpoint: string, issuers: string[]) => bearerOf({ oauth: { ...client, tokenEndpoint }, issuers });
    // Whom the server names, whom nobody named.
    expect(await codeFrom((await bearerOf({ url: misled.url }))())).toBe('tool/egress-refused');
    expect(await codeFrom((await to(`${elsewhere}/token`, [issuer.issuer]))())).toBe('tool/egress-refused');
    // On the list, and still none that tools may call.
    expect(await codeFrom((await to('https://169.254.169.254/token', ['https://169.254.169.254']))())).toBe('tool/egress-refused');
    expect(await codeFrom((await to('https://10.1.2.3/token', ['https://10.1.2.3']))())).toBe('tool/egress-refused');
    expect(await codeFrom((await to('http://issuer.example.com/token', ['http://issuer.example.com']))())).toBe('tool/egress-refused');
    expect(await codeFrom((await to(`${redirecting.origin}/token`, [redirecting.origin, elsewhere]))())).toBe('tool/no-token');
    expect(led).toBe(0);
    expect(issuer.asked).toHaveLength(asked);
  });

  it('for another server are not asked for, whatever it says', async () => {
    const pretending = kept(await startProtectedServer(issuer, { resource: () => docs.url }));
    const before = issuer.asked.length;
    expect(await codeFrom((await bearerOf({ url: pretending.url }))())).toBe('tool/no-token');
    expect(issuer.asked).toHaveLength(before);
  });

  it.each([
    ['are for another server', { audience: () => 'https://example.com/mcp' }, 'tool/credential-refused', 2],
    ['allow too little', { requiredScope: 'docs.write' }, 'tool/scope-insufficient', 1],
  ])('that %s are refused by the server', async (_why, ways, code, times) => {
    const server = kept(await startProtectedServer(issuer, ways));
    await allow(issuer.issuer, docs.url, server.url);
    const before = issuer.asked.length;
    expect(await put('strict', { settings: { kind: 'mcp', url: server.url, oauth: client }, secret })).toMatchObject({ status: 422, body: { code } });
    expect(issuer.asked).toHaveLength(before + times);
  });
});

describe('a document whose API takes tokens', () => {
  it('says where they are issued; neither secret nor token goes anywhere else', async () => {
    const seen: (string | undefined)[] = [];
    const { server, origin } = await listen((request, response) => {
      const { authorization } = request.headers;
      seen.push(authorization);
      const of = async () => (await issuer.introspect(authorization?.slice('Bearer '.length) ?? '')).active;
      void of().then((isActive) => response.writeHead(isActive ? 200 : 401, { 'content-type': 'application/json' }).end(JSON.stringify({ sent: request.headers })));
    });
    stops.push(() => stop(server));
    const elsewhere = await listen((request, response) => {
      seen.push(`elsewhere ${request.headers.authorization}`);
      response.end('{}');
    });
    stops.push(() => stop(elsewhere.server));
    await allow(issuer.issuer, docs.url, origin, elsewhere.origin);
    const document = (at: string) => ({
      openapi: '3.0.3',
      servers: [{ url: at }],
      paths: { '/orders': { get: { operationId: 'list' }, post: { operationId: 'order' } } },
      components: { securitySchemes: { machine: { type: 'oauth2', flows: { clientCredentials: { tokenUrl: `${issuer.issuer}/token`, scopes: { 'docs.read': '' } } } } } },
    });
    expect(await put('shop', { settings: { kind: 'openapi', oauth: client }, document: document(origin), secret })).toMatchObject({ status: 200, body: { hasSecret: true, origins: [origin, issuer.issuer] } });
    const results = resultsOf(await turnWith([{ name: 'shop__list', input: {} }]));
    expect(results).toContainEqual(expect.objectContaining({ status: 200, body: { sent: expect.objectContaining({ authorization: 'Bearer [secret]' }) as unknown } }));
    expect(seen).toEqual([`Bearer ${issuer.issued.at(-1)}`]);
    await issuer.revoke(issuer.issued.at(-1) ?? '');
    expect(resultsOf(await turnWith([{ name: 'shop__order', input: {} }]))).toContainEqual(expect.objectContaining({ status: 200 }));
    expect(seen.at(-1)).toBe(`Bearer ${issuer.issued.at(-1)}`);

    const asked = issuer.asked.length;
    await put('shop', { settings: { kind: 'openapi', oauth: client }, document: document(elsewhere.origin) });
    expect(resultsOf(await turnWith([{ name: 'shop__list', input: {} }]))).toContainEqual(expect.objectContaining({ code: 'tool/credential-refused' }));
    expect(issuer.asked).toHaveLength(asked);
    expect(seen).toHaveLength(3);
  });

  it('that says nothing of it has none', async () => {
    const document = { openapi: '3.0.3', servers: [{ url: docs.url }], paths: { '/orders': { get: { operationId: 'list' } } } };
    expect(await put('shop', { settings: { kind: 'openapi', oauth: client }, document, secret })).toMatchObject({ status: 422, body: { code: 'tool/no-token' } });
  });
});
