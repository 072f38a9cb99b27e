import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { MockActivityEnvironment } from '@temporalio/testing';
import { Webhook } from 'standardwebhooks';
import { createSessionActivities } from '../../src/activities/session';
import type { ApprovalPolicy, ApprovalRecord } from '../../src/contracts/approval';
import { argumentsHash } from '../../src/contracts/arguments-hash';
import { isDelta, type SessionEvent } from '../../src/contracts/events';
import { groups } from '../../src/contracts/names';
import type { SessionRecord } from '../../src/contracts/session';
import type { AgentConfig, ServedTenant } from '../../src/contracts/tenant';
import { modelControl } from '../../src/local/model/control';
import { type Account, newTenant, signUp } from './accounts';
import { isTurnEnd, readEvents, readUntil } from './events';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

const model = modelControl(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');
const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

type Approval = ApprovalRecord & { readonly arguments: unknown; readonly replacedBy?: string };

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let alice: Account;
let ann: Account;
let bob: Account;
let world: Outside;

/** A shop and a receiver of webhooks: what came to it, in order. */
class Outside {
  readonly received: { readonly url: string; readonly body: string; readonly headers: IncomingMessage['headers']; readonly atMs: number }[] = [];
  /** Statuses of the next answers; 200 when there is none. */
  readonly statuses: number[] = [];
  /** Of answers that are not 200. */
  retryAfter: string | undefined;
  readonly origin: string;

  private constructor(private readonly server: Server) {
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request: IncomingMessage, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.received.push({ url: request.url ?? '', body: Buffer.concat(chunks).toString(), headers: request.headers, atMs: performance.now() });
        const status = this.statuses.shift() ?? 200;
        response.writeHead(status, { 'content-type': 'application/json', ...(status !== 200 && this.retryAfter !== undefined && { 'retry-after': this.retryAfter }) }).end('{"done":true}');
      });
    });
  }

  static async start(): Promise<Outside> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Outside(server);
  }

  at(url: string) {
    return this.received.filter((one) => one.url === url);
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

beforeAll(async () => {
  [api, tenant, world] = await Promise.all([startApi(), newTenant(), Outside.start()]);
  [alice, ann, bob] = await Promise.all([signUp(tenant, [groups.members]), signUp(tenant, [groups.administrators]), signUp(tenant, [groups.administrators])]);
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId]);
});
afterAll(async () => {
  world.stop();
  await stopWorkers();
  await api.stop();
});

/** The tenant's agent with this policy; in force at once in this process. */
async function usePolicy(approvals: Partial<ApprovalPolicy>, changes: object = {}): Promise<void> {
  const body = { allowedOrigins: [world.origin], approvals, ...changes };
  const { status } = await api.send(`/api/v1/tenants/${tenant.tenantId}/config`, { method: 'PUT', token: ann.accessToken, body });
  expect(status).toBe(200);
}

const tenantPath = () => `/api/v1/tenants/${tenant.tenantId}`;
async function openSession(as: Account = alice): Promise<string> {
  const { body } = await api.send<SessionRecord>(`${tenantPath()}/sessions`, { method: 'POST', token: as.accessToken, body: {} });
  return `${tenantPath()}/sessions/${body.sessionId}`;
}

/** Says something on which the model asks for these calls, and then says "done". */
async function sayFor(session: string, inputs: readonly object[], as: Account = alice): Promise<string> {
  const text = `please ${randomUUID()}`;
  await model.script({ match: text, steps: [{ calls: inputs.map((input) => ({ name: 'http_request', input: input as never })) }, { say: 'done' }] });
  const { body } = await api.send<{ turnId: string }>(`${session}/messages`, { method: 'POST', token: as.accessToken, body: { text } });
  return body.turnId;
}

const post = (path: string) => ({ method: 'POST', url: `${world.origin}${path}`, body: { amount: 5 } });
const follow = (session: string, as: Account = alice) => readEvents(`${api.url}${session}/events`, { token: as.accessToken });
const durable = (received: Awaited<ReturnType<typeof readUntil>>) => received.flatMap(({ entry }): SessionEvent[] => (isDelta(entry) ? [] : [entry]));
const logUntilEnd = async (session: string, as: Account = alice) => durable(await readUntil(follow(session, as), isTurnEnd));

/** The approvals of a session, once there are so many, as one with the permission sees them. */
async function waitingIn(session: string, count = 1): Promise<Approval[]> {
  for (;;) {
    const { body } = await api.send<{ data: Approval[] }>(`${session}/approvals`, { token: ann.accessToken });
    const waiting = body.data.filter(({ state }) => state === 'waiting');
    if (waiting.length >= count) return waiting;
    await delay(20);
  }
}
const waitingFor = async (session: string, path: string, count = 1) => {
  const found = (await waitingIn(session, count)).find((approval) => JSON.stringify(approval.arguments).includes(path));
  if (!found) throw new Error(`no approval for ${path}`);
  return found;
};
const decide = (session: string, approvalId: string, by: Account, body: object) =>
  api.send<Approval & { code?: string; detail?: string }>(`${session}/approvals/${approvalId}`, { method: 'POST', token: by.accessToken, body });

describe('a call that the policy asks about', () => {
  it('waits, is seen by those who may approve, runs once it is approved, and only once', async () => {
    await usePolicy({});
    const session = await openSession();
    await sayFor(session, [post('/once'), { url: `${world.origin}/free` }]);
    const approval = await waitingFor(session, '/once');
    expect(approval).toMatchObject({ tool: 'http_request', state: 'waiting', arguments: post('/once'), argumentsHash: argumentsHash(post('/once')), userId: alice.userId });
    const statusNow = async () => (await api.send<{ status: { state: string } }>(session, { token: alice.accessToken })).body.status;
    // The call that needs nobody runs meanwhile.
    while ((await statusNow()).state === 'running') await delay(20);
    expect(await statusNow()).toMatchObject({ state: 'waiting', waitingApprovals: 1 });
    expect(world.at('/free')).toHaveLength(1);
    expect(world.at('/once')).toEqual([]);
    const listed = await api.send<{ data: Approval[] }>(`${tenantPath()}/approvals`, { token: bob.accessToken });
    expect(listed.body.data).toContainEqual(approval);
    const decided = await decide(session, approval.approvalId, ann, { decision: 'approve', note: 'fine' });
    expect([decided.status, decided.body.state, decided.body.by]).toEqual([200, 'approved', [ann.userId]]);
    const log = await logUntilEnd(session);
    expect(world.at('/once')).toHaveLength(1);
    expect(log.filter(({ type }) => type.startsWith('approval.')).map(({ type }) => type)).toEqual(['approval.requested', 'approval.voted', 'approval.decided']);
    expect(log.find(({ type }) => type === 'approval.voted')).toMatchObject({ by: ann.userId, note: 'fine' });
    // Sent again it is the same decision; another one comes too late.
    expect((await decide(session, approval.approvalId, ann, { decision: 'approve', note: 'fine' })).body.state).toBe('approved');
    expect((await decide(session, approval.approvalId, bob, { decision: 'deny' })).body).toMatchObject({ status: 409, code: 'approval/closed', detail: 'It was approved.' });
    expect((await api.send<{ data: Approval[] }>(`${tenantPath()}/approvals?state=decided`, { token: bob.accessToken })).body.data[0]).toMatchObject({ approvalId: approval.approvalId, state: 'approved' });
  });

  it('is not run when it is denied, and the model hears why', async () => {
    await usePolicy({});
    const session = await openSession();
    await sayFor(session, [post('/denied')]);
    const { approvalId } = await waitingFor(session, '/denied');
    expect((await decide(session, approvalId, ann, { decision: 'deny', note: 'too dear' })).body.state).toBe('denied');
    const log = await logUntilEnd(session);
    expect(world.at('/denied')).toEqual([]);
    expect(log.find(({ type }) => type === 'tool.failed')).toMatchObject({ code: 'tool/denied', message: expect.stringContaining('too dear') as string });
    expect(log.at(-1)).toMatchObject({ outcome: 'completed' });
  });

  it('is denied at once, or allowed, where a rule says so', async () => {
    await usePolicy({
      rules: [
        { tool: 'http_request', when: [{ pointer: '/url', is: 'ends_with', value: '/never' }], decision: 'deny' },
        { tool: 'http_*', when: [{ pointer: '/body/amount', is: 'less_than', value: 10 }], decision: 'allow' },
      ],
    });
    const session = await openSession();
    await sayFor(session, [post('/never'), post('/cheap')]);
    const log = await logUntilEnd(session);
    expect(log.filter(({ type }) => type.startsWith('approval.'))).toEqual([]);
    expect([world.at('/never').length, world.at('/cheap').length]).toEqual([0, 1]);
    expect(log.find(({ type }) => type === 'tool.failed')).toMatchObject({ code: 'tool/denied' });
  });

  it('can be several: answered in any order, each by as many as it takes, never by who asked', async () => {
    await usePolicy({ rules: [{ tool: '*', when: [{ pointer: '/url', is: 'ends_with', value: '/two' }], decision: 'ask', quorum: 2, notRequester: true }] });
    const session = await openSession(ann);
    await sayFor(session, [post('/one'), post('/two')], ann);
    const [one, two] = [await waitingFor(session, '/one', 2), await waitingFor(session, '/two', 2)];
    expect((await decide(session, two.approvalId, ann, { decision: 'approve' })).body).toMatchObject({ status: 403, code: 'approval/own-request' });
    expect((await decide(session, two.approvalId, bob, { decision: 'approve' })).body.state).toBe('waiting');
    expect((await decide(session, two.approvalId, bob, { decision: 'approve', note: 'again' })).body).toMatchObject({ status: 409, code: 'approval/already-voted' });
    const carol = await signUp(tenant, [groups.administrators]);
    expect((await decide(session, two.approvalId, carol, { decision: 'approve' })).body).toMatchObject({ state: 'approved', by: [bob.userId, carol.userId] });
    while (world.at('/two').length === 0) await delay(20);
    expect(world.at('/one')).toEqual([]);
    expect((await decide(session, one.approvalId, ann, { decision: 'approve' })).body.state).toBe('approved');
    await logUntilEnd(session, ann);
    expect([world.at('/one').length, world.at('/two').length]).toEqual([1, 1]);
  });

  it('is asked for anew with edited arguments, under their own hash, and runs with those', async () => {
    await usePolicy({ rules: [{ tool: '*', when: [{ pointer: '/body/amount', is: 'more_than', value: 1_000 }], decision: 'deny' }] });
    const session = await openSession();
    await sayFor(session, [post('/dear')]);
    const { approvalId } = await waitingFor(session, '/dear');
    const cheaper = { ...post('/dear'), body: { amount: 1 } };
    expect((await decide(session, approvalId, ann, { decision: 'edit' })).status).toBe(400);
    expect((await decide(session, approvalId, ann, { decision: 'edit', arguments: { url: 5 } })).body.code).toBe('tool/invalid-input');
    expect((await decide(session, approvalId, ann, { decision: 'edit', arguments: { ...cheaper, body: { amount: 2_000 } } })).body.code).toBe('tool/denied');
    const edited = await decide(session, approvalId, ann, { decision: 'edit', arguments: cheaper });
    expect(edited.body).toMatchObject({ state: 'edited', replacedBy: expect.any(String) as string });
    // The same decision, its keys in another order.
    const { url, ...rest } = cheaper;
    expect((await decide(session, approvalId, ann, { arguments: { ...rest, url }, decision: 'edit' })).body).toEqual(edited.body);
    expect((await decide(session, approvalId, bob, { decision: 'approve' })).body.code).toBe('approval/closed');
    const next = await waitingFor(session, '"amount":1}');
    expect(next).toMatchObject({ approvalId: edited.body.replacedBy, replaces: approvalId, argumentsHash: argumentsHash(cheaper), arguments: cheaper });
    await decide(session, next.approvalId, bob, { decision: 'approve' });
    await logUntilEnd(session);
    expect(world.at('/dear').map(({ body }) => body)).toEqual(['{"amount":1}']);
    const shown = await model.latestOf(tenant.tenantId);
    expect(JSON.stringify(shown?.request.messages)).toContain('argumentsChangedByAPersonTo');
  });

  it('expires, and is decided as the policy says', async () => {
    await usePolicy({ terms: { expiresAfterSeconds: 1 } });
    const session = await openSession();
    await sayFor(session, [post('/late')]);
    const { approvalId } = await waitingFor(session, '/late');
    const log = await logUntilEnd(session);
    expect(log.find(({ type }) => type === 'approval.decided')).toMatchObject({ decision: 'denied', by: [], expired: true });
    expect((await decide(session, approvalId, ann, { decision: 'approve' })).body).toMatchObject({ code: 'approval/closed', detail: 'It was denied, as nobody had decided in time.' });
    expect(world.at('/late')).toEqual([]);
  });

  it('goes with its turn when that is interrupted', async () => {
    await usePolicy({});
    const session = await openSession();
    const turnId = await sayFor(session, [post('/stopped')]);
    const { approvalId } = await waitingFor(session, '/stopped');
    await api.send(`${session}/messages`, { method: 'POST', token: alice.accessToken, body: { text: 'What is 6*7?', onBusy: 'interrupt' } });
    const log = await logUntilEnd(session);
    expect(log.slice(-3)).toMatchObject([{ type: 'approval.decided', decision: 'cancelled' }, { type: 'tool.failed', code: 'turn/interrupted' }, { type: 'turn.completed', turnId, outcome: 'interrupted' }]);
    expect((await decide(session, approvalId, ann, { decision: 'approve' })).body).toMatchObject({ code: 'approval/closed', detail: 'It was cancelled.' });
    const end = durable(await readUntil(follow(session), (entry) => isTurnEnd(entry) && 'outcome' in entry && entry.outcome === 'completed'));
    expect(end.at(-1)).toMatchObject({ outcome: 'completed' });
    expect(world.at('/stopped')).toEqual([]);
  });
});

describe('who may decide', () => {
  it('is told from the token: no member may, not even in a session of their own', async () => {
    await usePolicy({});
    const session = await openSession();
    const turnId = await sayFor(session, [post('/mine')]);
    const { approvalId } = await waitingFor(session, '/mine');
    expect((await decide(session, approvalId, alice, { decision: 'approve' })).body.code).toBe('auth/forbidden');
    expect((await api.send(`${tenantPath()}/approvals`, { token: alice.accessToken })).body.code).toBe('auth/forbidden');
    expect((await api.send<{ data: Approval[] }>(`${session}/approvals`, { token: alice.accessToken })).body.data).toHaveLength(1);
    const other = await signUp(tenant, [groups.members]);
    expect((await api.send(`${session}/approvals`, { token: other.accessToken })).body.code).toBe('session/not-found');
    await api.send(`${session}/cancel`, { method: 'POST', token: alice.accessToken, body: { turnId } });
    await logUntilEnd(session);
  });

  it('is answered 404 for what is not there', async () => {
    const session = await openSession();
    expect((await decide(session, 'apr-none', ann, { decision: 'approve' })).body).toMatchObject({ status: 404, code: 'approval/not-found' });
  });
});

describe('the webhook', () => {
  it('tells of what waits, signed, under one id for all attempts, and the log says so', async () => {
    await usePolicy({}, { approvalWebhook: { url: `${world.origin}/hook`, secret } });
    const before = world.at('/hook').length;
    world.statuses.push(503);
    const session = await openSession();
    await sayFor(session, [post('/told')]);
    const { approvalId } = await waitingFor(session, '/told');
    const log = durable(await readUntil(follow(session), ({ type }) => type === 'approval.notified'));
    expect(log.at(-1)).toMatchObject({ approvalId, status: 200 });
    const calls = world.at('/hook').slice(before);
    expect(calls.map(({ headers }) => headers['webhook-id'])).toEqual([approvalId, approvalId]);
    const told = new Webhook(secret).verify(calls[1]?.body ?? '', calls[1]?.headers as Record<string, string>);
    expect(told).toMatchObject({ type: 'approval.requested', data: { approvalId, tenantId: tenant.tenantId, tool: 'http_request' } });
    expect(JSON.stringify(told)).not.toContain('amount');
    await decide(session, approvalId, ann, { decision: 'deny' });
    await logUntilEnd(session);
  });

  it('is left alone for as long as it asks for', async () => {
    const before = world.at('/hook').length;
    world.statuses.push(429);
    world.retryAfter = '3';
    const session = await openSession();
    await sayFor(session, [post('/later')]);
    await readUntil(follow(session), ({ type }) => type === 'approval.notified');
    world.retryAfter = undefined;
    const [first, second] = world.at('/hook').slice(before);
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(2_900);
    await decide(session, (await waitingFor(session, '/later')).approvalId, ann, { decision: 'deny' });
    await logUntilEnd(session);
  });

  it('is not told again of what the log says it was told of, by a run that has not heard of that', async () => {
    const session = await openSession();
    await sayFor(session, [post('/told-once')]);
    const { approvalId, turnId, step, callId, tool, policyVersion: configVersion } = await waitingFor(session, '/told-once');
    const log = durable(await readUntil(follow(session), ({ type }) => type === 'approval.notified'));
    const input = { tenantId: tenant.tenantId, sessionId: session.slice(session.lastIndexOf('/') + 1), userId: alice.userId, turnId, step, callId, tool, approvalId, configVersion, after: 0 };
    const before = world.at('/hook').length;
    const again = await new MockActivityEnvironment().run(() => createSessionActivities(api.adapters).notifyApproval(input));
    expect(again).toEqual({ head: log.at(-1)?.seq });
    expect(world.at('/hook')).toHaveLength(before);
    await decide(session, approvalId, ann, { decision: 'deny' });
    await logUntilEnd(session);
  });

  it('is given up where it is refused, and the turn does not notice', async () => {
    world.statuses.push(410);
    const session = await openSession();
    await sayFor(session, [post('/gone')]);
    const log = durable(await readUntil(follow(session), ({ type }) => type === 'approval.notified'));
    expect(log.at(-1)).toMatchObject({ failure: 'The webhook answered 410.' });
    await decide(session, (await waitingFor(session, '/gone')).approvalId, ann, { decision: 'approve' });
    expect((await logUntilEnd(session)).at(-1)).toMatchObject({ outcome: 'completed' });
  });

  it('keeps its secret to itself, and leads nowhere the agent may not go', async () => {
    const path = `${tenantPath()}/config`;
    const { body } = await api.send<AgentConfig>(path, { token: ann.accessToken });
    expect(body.approvalWebhook).toEqual({ url: `${world.origin}/hook` });
    // What was shown can be sent back: the secret stays what it was.
    expect((await api.send(path, { method: 'PUT', token: ann.accessToken, body })).status).toBe(200);
    expect((await api.adapters.configs.get(tenant.tenantId)).approvalWebhook?.secret).toBe(secret);
    const elsewhere = { ...body, approvalWebhook: { url: 'https://elsewhere.example/hook' } };
    expect((await api.send(path, { method: 'PUT', token: ann.accessToken, body: elsewhere })).body.code).toBe('config/invalid');
  });
});
