import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { verifyAuditExport } from '../../src/adapters/audit-verification';
import { createAuditLog } from '../../src/adapters/aws/audit/log';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { AuditTrail } from '../../src/api/audit-trail';
import type { Route } from '../../src/api/route';
import { loadConfig } from '../../src/config';
import type { AuditEntry } from '../../src/contracts/audit';
import { DomainError } from '../../src/contracts/errors';
import { auditChainOf, groups } from '../../src/contracts/names';
import type { SessionRecord } from '../../src/contracts/session';
import type { ServedTenant } from '../../src/contracts/tenant';
import { type Account, newTenant, signUp, signUpOperator } from './accounts';
import { openLine } from './cuttable-line';
import { declaredRoutes, requestTo, titleOf } from './requests';
import { type RunningApi, startApi } from './running-api';

const config = loadConfig();
let api: RunningApi;
let tenant: ServedTenant;
let administrator: Account;
let member: Account;
let operator: Account;

beforeAll(async () => {
  api = await startApi();
  [tenant, operator] = await Promise.all([newTenant(), signUpOperator()]);
  [administrator, member] = await Promise.all([signUp(tenant, [groups.administrators]), signUp(tenant, [groups.members])]);
});
afterAll(() => api.stop());

const changes = declaredRoutes.filter(({ method, access, audit }) => method !== 'get' && access !== 'public' && audit !== 'counted');
const titled = (routes: readonly Route[]): [string, Route][] => routes.map((route) => [titleOf(route), route]);
const chainOf = (tenantId: string) => `/api/v1/tenants/${tenantId}/audit`;

/** Entries of a chain that are wanted, as soon as there is one: what is recorded after the answer takes a moment. */
async function entriesOf(chain: string, isWanted: (entry: AuditEntry) => boolean): Promise<AuditEntry[]> {
  for (const giveUpAtMs = Date.now() + 10_000; ; ) {
    const found: AuditEntry[] = [];
    for await (const entry of api.adapters.audit.read(chain)) if (isWanted(entry)) found.push(entry);
    if (found.length > 0 || Date.now() > giveUpAtMs) return found;
  }
}

const withId = (requestId: string | null) => (entry: AuditEntry) => entry.requestId === requestId;

/** A log that takes the beginning of nothing: whatever is let through has gone behind its back. */
const shut = () =>
  new AuditTrail({
    audit: { ...api.adapters.audit, append: () => Promise.reject(new DomainError('audit/unavailable', 'not now')) },
    registry: api.adapters.registry,
    intervalMs: 1_000_000,
    logger: api.deps.logger,
  });

describe('every route that changes something', () => {
  let closed: RunningApi;
  beforeAll(async () => {
    closed = await startApi({ trail: shut() });
  });
  afterAll(() => closed.stop());

  /** Generated from the routes: a new one joins by itself. */
  it.each(titled(changes))('%s is refused when it cannot be recorded', async (_title, route) => {
    const { path: url, request } = requestTo(route, tenant.tenantId);
    const token = route.access !== 'public' && route.access.realm === 'operator' ? operator.accessToken : administrator.accessToken;
    const { status, body } = await closed.send(url, { ...request, token });
    expect([status, body.code]).toEqual([503, 'audit/unavailable']);
  });
});

it('tells who changed what, when, from where and with which outcome: before, and how it ended', async () => {
  const url = `/api/v1/tenants/${tenant.tenantId}/sessions`;
  const { headers, body } = await api.send<SessionRecord>(url, { method: 'POST', token: member.accessToken, body: {} });
  const requestId = headers.get('x-request-id');
  const entries = await entriesOf(tenant.tenantId, (entry) => withId(requestId)(entry) && entry.outcome !== 'begun');
  const [begun] = await entriesOf(tenant.tenantId, withId(requestId));
  const about = { actor: { kind: 'user', id: member.userId }, action: 'POST /api/v1/tenants/{tenantId}/sessions', object: `tenants/${tenant.tenantId}/sessions`, requestId, address: '127.0.0.1' };
  expect(begun).toMatchObject({ ...about, outcome: 'begun' });
  expect(entries).toMatchObject([{ ...about, outcome: 'done', status: 201, result: `${url}/${body.sessionId}` }]);
  expect(Math.abs(Date.parse(begun?.at ?? '') - Date.now())).toBeLessThan(60_000);
});

it('tells of a change that came to nothing how it was refused', async () => {
  const { headers } = await api.send(`/api/v1/tenants/${tenant.tenantId}/config`, { method: 'PUT', token: administrator.accessToken, body: { tools: ['no-such-tool'] } });
  const entries = await entriesOf(tenant.tenantId, (entry) => withId(headers.get('x-request-id'))(entry) && entry.outcome !== 'begun');
  expect(entries).toMatchObject([{ outcome: 'refused', status: 422, code: 'config/invalid' }]);
});

describe('a denied request', () => {
  const urlOf = (sessionId: string) => `/api/v1/tenants/${tenant.tenantId}/sessions/${sessionId}`;

  it.each([
    ['without a token', 401, () => api.send(chainOf(tenant.tenantId))],
    ['with a forged token', 401, () => api.send(chainOf(tenant.tenantId), { token: 'a.b.c' })],
    ['without the permission', 403, () => api.send(chainOf(tenant.tenantId), { token: member.accessToken })],
  ] as const)('%s is recorded with its tenant', async (_what, status, send) => {
    const { headers, ...answer } = await send();
    expect(answer.status).toBe(status);
    const [entry] = await entriesOf(tenant.tenantId, withId(headers.get('x-request-id')));
    expect(entry).toMatchObject({ outcome: 'denied', status, action: 'GET /api/v1/tenants/{tenantId}/audit', object: `tenants/${tenant.tenantId}/audit`, address: '127.0.0.1' });
    expect(entry?.actor).toEqual(status === 403 ? { kind: 'user', id: member.userId } : { kind: 'anonymous' });
  });

  it("for another user's session is recorded as denied, and one for a session that is not there is not", async () => {
    const { body } = await api.send<SessionRecord>(`/api/v1/tenants/${tenant.tenantId}/sessions`, { method: 'POST', token: administrator.accessToken, body: {} });
    const [missing, foreign] = [await api.send(urlOf('nowhere'), { token: member.accessToken }), await api.send(urlOf(body.sessionId), { token: member.accessToken })];
    expect([missing.status, { ...missing.body, requestId: '' }]).toEqual([foreign.status, { ...foreign.body, requestId: '' }]);
    const [entry] = await entriesOf(tenant.tenantId, withId(foreign.headers.get('x-request-id')));
    expect(entry).toMatchObject({ outcome: 'denied', status: 404, object: `tenants/${tenant.tenantId}/sessions/${body.sessionId}`, actor: { id: member.userId } });
    expect((await entriesOf(tenant.tenantId, () => true)).some(withId(missing.headers.get('x-request-id')))).toBe(false);
  });

  it('over the rate is recorded, and a flood of them is one entry with a count', async () => {
    const small = await newTenant({ requestsPerMinute: 1, burst: 1 });
    const { accessToken: token, userId } = await signUp(small, [groups.members]);
    await Promise.all(Array.from({ length: 100 }, () => api.send(`/api/v1/tenants/${small.tenantId}/sessions`, { token })));
    const counted = async () => (await entriesOf(small.tenantId, ({ status }) => status === 429)).reduce((sum, { count = 1 }) => sum + count, 0);
    for (const giveUpAtMs = Date.now() + 10_000; (await counted()) < 99 && Date.now() < giveUpAtMs; );
    const entries = await entriesOf(small.tenantId, ({ status }) => status === 429);
    expect(await counted()).toBeGreaterThanOrEqual(98);
    // One for each interval in which some came.
    expect(entries.length).toBeLessThan(50);
    expect(entries[0]).toMatchObject({ outcome: 'denied', code: 'request/rate-limited', actor: { kind: 'user', id: userId } });
  });

  /** Guarantees that strangers make no chains by naming what they like. */
  it('that names no tenant there is stands in the log of the platform', async () => {
    const nobody = `nobody-${randomUUID().slice(0, 8)}`;
    const { headers } = await api.send(chainOf(nobody));
    expect(await entriesOf(auditChainOf(undefined), withId(headers.get('x-request-id')))).toMatchObject([{ outcome: 'denied', object: `tenants/${nobody}/audit` }]);
    expect(await api.adapters.audit.head(nobody)).toMatchObject({ seq: 0 });
  });
});

/** Canaries in everything a caller can fill: none of them is in the log. */
it('holds no token, no text and no secret', async () => {
  const canary = () => `canary-${randomUUID()}`;
  const canaries = Array.from({ length: 5 }, canary);
  const [text, prompt, password, inPath, inToken] = canaries;
  const token = member.accessToken;
  const { body } = await api.send<SessionRecord>(`/api/v1/tenants/${tenant.tenantId}/sessions`, { method: 'POST', token, body: {} });
  await api.send(`/api/v1/tenants/${tenant.tenantId}/sessions/${body.sessionId}/messages`, { method: 'POST', token, body: { text } });
  await api.send(`/api/v1/tenants/${tenant.tenantId}/config`, { method: 'PUT', token: administrator.accessToken, body: { systemPrompt: prompt } });
  await fetch(`${api.url}/codec/sign-in`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email: 'nobody@example.com', password }) });
  await api.send(`/api/v1/tenants/${tenant.tenantId}/sessions/${encodeURIComponent(`a secret: ${inPath}`)}`, {});
  const { headers } = await api.send(chainOf(tenant.tenantId), { token: inToken });
  await entriesOf(tenant.tenantId, withId(headers.get('x-request-id')));
  const written: string[] = [];
  for (const chain of [tenant.tenantId, auditChainOf(undefined)]) for await (const entry of api.adapters.audit.read(chain)) written.push(JSON.stringify(entry));
  expect(written.length).toBeGreaterThan(10);
  for (const secret of [...canaries, token, administrator.email]) expect(written.join('\n')).not.toContain(secret);
});

describe('reading it', () => {
  interface Page {
    readonly data: AuditEntry[];
    readonly nextCursor?: string;
  }

  it('goes page by page, newest first, to the tenant’s administrators and to operators', async () => {
    for (const { accessToken: token } of [administrator, operator]) {
      const seqs: number[] = [];
      let cursor = '';
      do {
        const { body } = await api.send<Page>(`${chainOf(tenant.tenantId)}?limit=4${cursor}`, { token });
        seqs.push(...body.data.map(({ seq }) => seq));
        cursor = body.nextCursor === undefined ? '' : `&cursor=${body.nextCursor}`;
      } while (cursor !== '');
      expect(seqs.length).toBeGreaterThan(4);
      expect(seqs).toEqual(seqs.toSorted((a, b) => b - a));
      expect(new Set(seqs).size).toBe(seqs.length);
    }
  });

  it('filters by time, actor, action, object and outcome', async () => {
    const list = async (query: string) => (await api.send<Page>(`${chainOf(tenant.tenantId)}?limit=200&${query}`, { token: operator.accessToken })).body.data;
    const every = await list('');
    const some = async (query: string, isWanted: (entry: AuditEntry) => boolean) => {
      const found = await list(query);
      expect(found.length).toBeGreaterThan(0);
      expect(found).toEqual(every.filter(isWanted).filter((entry) => found.some(({ seq }) => seq === entry.seq)));
      expect(found.every(isWanted)).toBe(true);
      expect(found.length).toBeLessThan(every.length);
    };
    await some(`actor=${member.userId}`, ({ actor }) => actor.id === member.userId);
    await some('action=config', ({ action }) => action.includes('config'));
    await some('object=/sessions', ({ object }) => object.includes('/sessions'));
    await some('outcome=denied', ({ outcome }) => outcome === 'denied');
    const middle = every[Math.floor(every.length / 2)]?.at ?? '';
    await some(`until=${middle}`, ({ at }) => at < middle);
    expect(await list('since=2999-01-01')).toEqual([]);
    expect((await api.send(`${chainOf(tenant.tenantId)}?cursor=x`, { token: operator.accessToken })).status).toBe(400);
    expect(await api.send(`${chainOf(tenant.tenantId)}?cursor=0`, { token: operator.accessToken })).toMatchObject({ status: 200, body: { data: [] } });
  });

  it('shows administrators nothing of whoever had the id before', async () => {
    const later = await newTenant();
    const { accessToken: token } = await signUp(later, [groups.administrators]);
    const before = { at: new Date(Date.parse(later.createdAt) - 1_000).toISOString(), actor: { kind: 'operator' as const, id: 'ann' }, action: 'before', object: 'before', outcome: 'done' as const };
    await api.adapters.audit.append(later.tenantId, [before, { ...before, at: new Date().toISOString(), action: 'since' }]);
    const { body } = await api.send<Page>(chainOf(later.tenantId), { token });
    expect(body.data.map(({ action }) => action)).toEqual(['since']);
    const lines = await exported(`${chainOf(later.tenantId)}/export`, token);
    expect(lines.map((line) => (JSON.parse(line) as AuditEntry).action)).toEqual([undefined, 'since', undefined]);
    const whole = await api.send<Page>(`/api/v1/audit?tenantId=${later.tenantId}`, { token: operator.accessToken });
    expect(whole.body.data.map(({ action }) => action)).toEqual(expect.arrayContaining(['since', 'before']));
  });
});

async function exported(url: string, token: string): Promise<string[]> {
  const response = await fetch(api.url + url, { headers: { authorization: `Bearer ${token}` } });
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/jsonl']);
  return (await response.text()).trim().split('\n');
}

async function* linesOf(lines: readonly string[]): AsyncGenerator<string> {
  for (const line of lines) yield await Promise.resolve(line);
}

it('is exported whole and signed, with its scheduled checkpoints; a tampered export is found', async () => {
  await api.adapters.audit.sign(tenant.tenantId);
  const { jwk } = await api.adapters.audit.key();
  const lines = await exported(`${chainOf(tenant.tenantId)}/export`, administrator.accessToken);
  expect(await verifyAuditExport(linesOf(lines), jwk)).toMatchObject({ chain: tenant.tenantId, firstSeq: 1, entries: lines.length - 3, checkpoints: 2, problems: [] });
  const without = lines.filter((_line, index) => index !== 4);
  expect((await verifyAuditExport(linesOf(without), jwk)).problems).toEqual(['Entry 4 is missing.']);
  const platform = await exported('/api/v1/audit/export', operator.accessToken);
  expect((await verifyAuditExport(linesOf(platform), jwk)).problems).toEqual([]);
});

/** The API as in production. */
async function startProcess(env: Record<string, string>): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [path.resolve('dist/api/main.js')], { env: { ...process.env, HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'info', ...env }, stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, port } = JSON.parse(line) as { msg: string; port: number };
    if (msg === 'listening') return { child, url: `http://127.0.0.1:${port}` };
  }
  throw new Error('The API ended.');
}

/** Guarantees that nothing is done of which nobody knows, whenever a process dies. */
it('knows of every change that was made, although the process was killed between the change and the word of its end', async () => {
  const other = await newTenant();
  const { accessToken: token } = await signUp(other, [groups.members]);
  const { child, url } = await startProcess({});
  const open = () => fetch(`${url}/api/v1/tenants/${other.tenantId}/sessions`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  let answered = 0;
  const clients = Array.from({ length: 32 }, async () => {
    for (;;) {
      await open();
      answered += 1;
      if (answered === 40) child.kill('SIGKILL');
    }
  });
  await Promise.all([once(child, 'exit'), ...clients.map((client) => client.catch(() => undefined))]);

  const { sessions } = await api.adapters.sessions.list(other.tenantId, { limit: 200 });
  expect(sessions.length).toBeGreaterThanOrEqual(40);
  const audit = createAuditLog(createPlatformClients(config.aws));
  await audit.append(other.tenantId, [{ at: new Date().toISOString(), actor: { kind: 'anonymous' }, action: 'another process', object: 'goes on', outcome: 'done' }]);
  const entries = await entriesOf(other.tenantId, () => true);
  expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1));
  expect(entries.filter(({ outcome }) => outcome === 'begun').length).toBeGreaterThanOrEqual(sessions.length);
  const ended = new Set(entries.flatMap(({ result }) => result ?? []));
  const known = entries.filter(({ outcome }) => outcome === 'begun').length - ended.size;
  // Some were made whose end nobody recorded: each of them has its beginning.
  expect(sessions.filter(({ sessionId }) => !ended.has(`/api/v1/tenants/${other.tenantId}/sessions/${sessionId}`)).length).toBeLessThanOrEqual(known);
  expect((await audit.sign(other.tenantId)).seq).toBe(entries.length);
});

it('refuses changes while the log cannot be written, answers what only reads, and goes on by itself', async () => {
  const line = await openLine(config.aws.endpoint ?? '');
  const cuttable = createAuditLog(createPlatformClients({ ...config.aws, endpoint: line.url }));
  const trail = new AuditTrail({ audit: cuttable, registry: api.adapters.registry, intervalMs: 50, logger: api.deps.logger });
  trail.start();
  const own = await startApi({ trail });
  const url = `/api/v1/tenants/${tenant.tenantId}/sessions`;
  await line.cut();
  const [refused, read] = await Promise.all([own.send(url, { method: 'POST', token: member.accessToken, body: {} }), own.send(url, { token: member.accessToken })]);
  expect([refused.status, refused.body.code, refused.headers.has('retry-after'), read.status]).toEqual([503, 'audit/unavailable', true, 200]);
  const denied = await own.send(chainOf(tenant.tenantId), { token: member.accessToken });
  await line.mend();
  expect((await own.send(url, { method: 'POST', token: member.accessToken, body: {} })).status).toBe(201);
  expect(await entriesOf(tenant.tenantId, withId(denied.headers.get('x-request-id')))).toHaveLength(1);
  await own.stop();
  await trail.stop();
  await line.cut();
});
