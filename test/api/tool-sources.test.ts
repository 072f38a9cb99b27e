import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import petstore from '@readme/oas-examples/3.0/json/petstore.json';
import { createRelisting } from '../../src/activities/session/tools/source-listing';
import { createAdapters } from '../../src/composition';
import { loadConfig } from '../../src/config';
import { isDelta, type SessionEvent } from '../../src/contracts/events';
import { groups, toolSecretName } from '../../src/contracts/names';
import type { ToolSource } from '../../src/contracts/tool-source';
import type { SessionRecord } from '../../src/contracts/session';
import { AgentConfig, type ServedTenant } from '../../src/contracts/tenant';
import { modelControl } from '../../src/local/model/control';
import { freePorts } from '../../src/local/ports';
import type { ScriptStep } from '../../src/local/model/scripts';
import { createLogger } from '../../src/logging';
import { type Account, newTenant, signUp } from './accounts';
import { isTurnEnd, readEvents, readUntil } from './events';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

interface Source {
  readonly hasSecret: boolean;
  readonly tools: { readonly name: string; readonly effect: string }[];
  readonly origins: string[];
}

const model = modelControl(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');
const secret = `canary-${randomUUID()}`;
/** What a shop was asked, which answers with all that it was sent. */
const asked: { method: string | undefined; url: string | undefined; key: unknown }[] = [];
const shop = createServer((request: IncomingMessage, response) => {
  asked.push({ method: request.method, url: request.url, key: request.headers['x-shop-key'] });
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ id: 7, name: 'Rex', sent: request.headers }));
});
let shopOrigin: string;
let everything: ChildProcess;
let mcpUrl: string;
let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let admin: Account;

/** The reference server of the Model Context Protocol, as it is published. */
async function startEverything(): Promise<{ server: ChildProcess; url: string }> {
  const { port } = await freePorts(['port']);
  const main = path.resolve('node_modules/@modelcontextprotocol/server-everything/dist/index.js');
  const server = spawn(process.execPath, [main, 'streamableHttp'], { env: { PATH: process.env['PATH'], PORT: String(port) }, stdio: ['ignore', 'ignore', 'pipe'] });
  for await (const line of createInterface({ input: server.stderr })) if (line.includes('listening')) break;
  server.stderr.resume();
  return { server, url: `http://127.0.0.1:${port}/mcp` };
}

beforeAll(async () => {
  shop.listen(0, '127.0.0.1');
  await once(shop, 'listening');
  shopOrigin = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`;
  ({ server: everything, url: mcpUrl } = await startEverything());
  [api, tenant] = await Promise.all([startApi(), newTenant()]);
  admin = await signUp(tenant, [groups.administrators]);
  const { configs } = api.adapters;
  await configs.put(tenant.tenantId, AgentConfig.parse({ tools: ['calculator', 'shop__*', 'every__echo', 'every__get-sum', 'every__get-structured-content'], allowedOrigins: [shopOrigin, new URL(mcpUrl).origin] }));
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId]);
});
afterAll(async () => {
  await stopWorkers();
  await api.stop();
  shop.closeAllConnections();
  shop.close();
  everything.kill('SIGKILL');
});

const sourcePath = (name: string) => `/api/v1/tenants/${tenant.tenantId}/tool-sources/${name}`;
const put = <Body = Source>(name: string, body: object) => api.send<Body>(sourcePath(name), { method: 'PUT', token: admin.accessToken, body });

async function turnWith(calls: ScriptStep['calls']): Promise<SessionEvent[]> {
  const text = `do ${randomUUID()}`;
  await model.script({ match: text, steps: [{ calls }, { say: 'Done.' }] });
  const { body: session } = await api.send<SessionRecord>(`/api/v1/tenants/${tenant.tenantId}/sessions`, { method: 'POST', token: admin.accessToken, body: {} });
  const at = `/api/v1/tenants/${tenant.tenantId}/sessions/${session.sessionId}`;
  await api.send(`${at}/messages`, { method: 'POST', token: admin.accessToken, body: { text } });
  const received = await readUntil(readEvents(`${api.url}${at}/events?after=0`, { token: admin.accessToken }), isTurnEnd);
  return received.flatMap(({ entry }) => (isDelta(entry) ? [] : [entry]));
}

const sourceOf = async (name: string) => (await api.adapters.toolSources.get(tenant.tenantId, name)) as ToolSource;

const resultsOf = (events: readonly SessionEvent[]) =>
  events.flatMap((event) => (event.type === 'tool.completed' ? [event.output] : event.type === 'tool.failed' ? [{ code: event.code, message: event.message }] : []));

describe('an OpenAPI document', () => {
  const makeShop = () => put('shop', { settings: { kind: 'openapi', server: `${shopOrigin}/v2`, credential: { name: 'x-shop-key', prefix: '' } }, document: petstore, secret });

  it('becomes tools; what its server is shown stands in no prompt, event, answer or log', async () => {
    const made = await makeShop();
    expect(made).toMatchObject({ status: 200, body: { hasSecret: true, origins: [shopOrigin] } });
    const events = await turnWith([{ name: 'shop__getPetById', input: { petId: 7 } }, { name: 'shop__getPetById', input: { petId: 'seven' } }]);
    const results = resultsOf(events);
    expect(results).toContainEqual(expect.objectContaining({ status: 200, body: expect.objectContaining({ name: 'Rex' }) as unknown }));
    expect(results).toContainEqual(expect.objectContaining({ code: 'tool/invalid-input' }));
    expect(asked).toEqual([{ method: 'GET', url: '/v2/pet/7', key: secret }]);

    const { latest } = await model.served();
    const { body } = await api.send(`/api/v1/tenants/${tenant.tenantId}/tool-sources`, { token: admin.accessToken });
    expect(JSON.stringify(latest)).toContain('shop__getPetById');
    expect(JSON.stringify([latest, events, made.body, body])).not.toContain(secret);
    expect(await api.adapters.toolSecrets.get(tenant.tenantId, await sourceOf('shop'))).toBe(secret);
    expect(toolSecretName(tenant.tenantId, 'shop')).toBe(`/app/tenant/${tenant.tenantId}/tool-sources/shop`);
  });

  it('that another administrator sets up at the same moment has its servers shown no secret of theirs', async () => {
    await makeShop();
    const kept = await sourceOf('shop');
    const before = asked.length;
    // Both were asked for their tools at once; theirs came second with the secret, and too late with the source.
    await api.adapters.toolSecrets.put(tenant.tenantId, { ...kept, secretOrigins: ['https://other.example.com'] }, 'theirs');
    expect(resultsOf(await turnWith([{ name: 'shop__getPetById', input: { petId: 7 } }]))).toEqual([{ code: 'tool/credential-refused', message: expect.stringContaining('set it anew') as string }]);
    expect(asked).toHaveLength(before);
    expect((await api.send(`${sourcePath('shop')}/secret`, { method: 'PUT', token: admin.accessToken, body: { secret } })).status).toBe(200);
    expect(resultsOf(await turnWith([{ name: 'shop__getPetById', input: { petId: 7 } }]))).toContainEqual(expect.objectContaining({ status: 200 }));
    expect(asked.slice(before)).toEqual([{ method: 'GET', url: '/v2/pet/7', key: secret }]);
  });

  it('that leads elsewhere takes the secret nowhere', async () => {
    const before = asked.length;
    const other = createServer((request, response) => {
      asked.push({ method: request.method, url: request.url, key: request.headers['x-shop-key'] });
      response.end('{}');
    }).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const otherOrigin = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { configs } = api.adapters;
    const agent = await configs.get(tenant.tenantId);
    await configs.put(tenant.tenantId, { ...agent, allowedOrigins: [...agent.allowedOrigins, otherOrigin] });
    const settings = { kind: 'openapi', server: otherOrigin, credential: { name: 'x-shop-key', prefix: '' } };
    await put('shop', { settings, document: petstore });
    // What a worker knows of sources is two seconds old at most: another process has changed it here.
    const events = await turnWith([{ name: 'shop__getPetById', input: { petId: 8 } }]);
    other.close();
    expect(resultsOf(events)).toContainEqual(expect.objectContaining({ status: 200 }));
    expect(asked.slice(before)).toEqual([{ method: 'GET', url: '/pet/8', key: undefined }]);
  });

  it('can be used at once by a worker that has just looked', async () => {
    const worker = createAdapters(loadConfig(), createLogger('worker', 'silent'));
    const toolsNow = async () => (await worker.toolbox.of(tenant.tenantId, { tools: ['shop__getPetById', 'late__*'] })).names;
    expect(await toolsNow()).toEqual(['shop__getPetById']);
    await put('late', { settings: { kind: 'openapi', server: shopOrigin }, document: petstore });
    expect(await toolsNow()).toContain('late__getPetById');
    await worker.close();
  });

  it('that somebody changes while it is asked for its tools is left as they made it', async () => {
    const document = createServer().listen(0, '127.0.0.1');
    await once(document, 'listening');
    const origin = `http://127.0.0.1:${(document.address() as AddressInfo).port}`;
    const { configs } = api.adapters;
    const agent = await configs.get(tenant.tenantId);
    await configs.put(tenant.tenantId, { ...agent, allowedOrigins: [...agent.allowedOrigins, origin] });
    const refreshing = async () => {
      const arrived = once(document, 'request') as Promise<[IncomingMessage, ServerResponse]>;
      const answer = api.send(`${sourcePath('slow')}/refresh`, { method: 'POST', token: admin.accessToken, body: {} });
      const [, response] = await arrived;
      return { answer, letGo: () => response.end(JSON.stringify(petstore)) };
    };
    document.once('request', (_, response) => response.end(JSON.stringify(petstore)));
    expect(await put('slow', { settings: { kind: 'openapi', url: `${origin}/petstore.json` } })).toMatchObject({ status: 200 });

    const overtaken = await refreshing();
    expect(await api.send(`${sourcePath('slow')}/secret`, { method: 'PUT', token: admin.accessToken, body: { secret } })).toMatchObject({ status: 200, body: { hasSecret: true } });
    overtaken.letGo();
    expect(await overtaken.answer).toMatchObject({ status: 409, body: { code: 'tool-source/changed' } });
    expect(await api.send(sourcePath('slow'), { token: admin.accessToken })).toMatchObject({ body: { hasSecret: true } });

    const tooLate = await refreshing();
    expect((await api.send(sourcePath('slow'), { method: 'DELETE', token: admin.accessToken })).status).toBe(204);
    tooLate.letGo();
    expect(await tooLate.answer).toMatchObject({ status: 409 });
    expect(await api.send(sourcePath('slow'), { token: admin.accessToken })).toMatchObject({ status: 404 });
    document.closeAllConnections();
    document.close();
  });

  it('at an address that tools may not call is not asked for', async () => {
    for (const url of ['http://169.254.169.254/latest/openapi.json', 'http://[::1]/openapi.json'])
      expect(await put('bad', { settings: { kind: 'openapi', url } })).toMatchObject({ status: 422, body: { code: 'tool/egress-refused' } });
    expect(await put('bad', { settings: { kind: 'openapi' }, document: 'swagger: "2.0"' })).toMatchObject({ status: 422, body: { code: 'tool-source/invalid' } });
    expect(await api.send(sourcePath('bad'), { token: admin.accessToken })).toMatchObject({ status: 404, body: { code: 'tool-source/not-found' } });
  });
});

describe('an MCP server that nobody here wrote', () => {
  it('gives its tools, feared to write unless its word is trusted', async () => {
    const { status, body } = await put('every', { settings: { kind: 'mcp', url: mcpUrl } });
    expect(status).toBe(200);
    expect(body.tools).toContainEqual(expect.objectContaining({ name: 'every__echo', effect: 'write' }));
    const events = await turnWith([
      { name: 'every__echo', input: { message: 'hello there' } },
      { name: 'every__get-sum', input: { a: 2, b: 40 } },
      { name: 'every__get-sum', input: { a: 'two' } },
      { name: 'every__get-structured-content', input: { location: 'New York' } },
      { name: 'every__get-env', input: {} },
    ]);
    const results = JSON.stringify(resultsOf(events));
    expect(results).toContain('hello there');
    expect(results).toContain('42');
    expect(results).toContain('temperature');
    // Not among the agent's tools.
    expect(resultsOf(events)).toContainEqual(expect.objectContaining({ code: 'tool/unknown' }));
    expect(resultsOf(events)).toContainEqual(expect.objectContaining({ code: 'tool/invalid-input' }));
  });

  it('that says it has changed while it is being listed is listed once more, when it is needed next and was left alone for a while', async () => {
    const { toolSources: sources, sourceCredentials: credentials, toolLister: lister } = api.adapters;
    const clock = { nowMs: 1, now: () => clock.nowMs };
    const relisting = createRelisting({ sources, credentials, lister, clock });
    const listedAfter = async ({ listedAt }: ToolSource): Promise<ToolSource> => {
      for (;;) {
        const now = await sourceOf('every');
        if (now.listedAt !== listedAt) return now;
        await delay(20);
      }
    };
    const first = await sourceOf('every');
    relisting.changed(tenant.tenantId, first);
    relisting.changed(tenant.tenantId, first);
    const second = await listedAfter(first);
    clock.nowMs += 31_000;
    relisting.keepUp(tenant.tenantId, [second]);
    await listedAfter(second);
  });

  it('is listed anew, and its tools go with it', async () => {
    expect(await api.send(`${sourcePath('every')}/refresh`, { method: 'POST', token: admin.accessToken, body: {} })).toMatchObject({ status: 200 });
    everything.kill('SIGKILL');
    await once(everything, 'exit');
    expect(await api.send(`${sourcePath('every')}/refresh`, { method: 'POST', token: admin.accessToken, body: {} })).toMatchObject({ status: 424, body: { code: 'tool-source/unreachable' } });
    expect(resultsOf(await turnWith([{ name: 'every__echo', input: { message: 'hello' } }]))).toContainEqual(expect.objectContaining({ code: 'tool/unreachable' }));
    expect((await api.send(sourcePath('every'), { method: 'DELETE', token: admin.accessToken })).status).toBe(204);
    expect(resultsOf(await turnWith([{ name: 'every__echo', input: { message: 'hello' } }]))).toContainEqual(expect.objectContaining({ code: 'tool/unknown' }));
  });
});
