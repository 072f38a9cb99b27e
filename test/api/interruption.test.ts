import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { isDelta, type SessionEvent } from '../../src/contracts/events';
import { groups } from '../../src/contracts/names';
import type { OnBusy, SessionRecord } from '../../src/contracts/session';
import type { ServedTenant } from '../../src/contracts/tenant';
import { modelControl } from '../../src/local/model/control';
import { type Account, newTenant, signUp } from './accounts';
import { isTurnEnd, readEvents, readUntil } from './events';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

const model = modelControl(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');

interface Taken {
  readonly turnId: string;
  readonly after: number;
  readonly eventsUrl: string;
  readonly code?: string;
}

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let alice: Account;
let slow: SlowShop;

beforeAll(async () => {
  [api, tenant, slow] = await Promise.all([startApi(), newTenant(), SlowShop.start()]);
  alice = await signUp(tenant, [groups.members]);
  const { agent } = await api.adapters.configs.current(tenant.tenantId);
  await api.adapters.configs.put(tenant.tenantId, { ...agent, allowedOrigins: [slow.origin] });
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId]);
});
afterAll(async () => {
  slow.stop();
  await stopWorkers();
  await api.stop();
});

/** Answers nobody, and tells when its caller has come and gone. */
class SlowShop {
  readonly origin: string;
  private readonly calls: { response: ServerResponse; gone: Promise<unknown> }[] = [];

  private constructor(private readonly server: Server) {
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (_request, response: ServerResponse) => this.calls.push({ response, gone: once(response, 'close') }));
  }

  static async start(): Promise<SlowShop> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new SlowShop(server);
  }

  /** The call after the ones taken before. */
  async next(): Promise<{ response: ServerResponse; gone: Promise<unknown> }> {
    for (;;) {
      const call = this.calls.shift();
      if (call) return call;
      await delay(10);
    }
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const sessionsPath = () => `/api/v1/tenants/${tenant.tenantId}/sessions`;
async function openSession(): Promise<string> {
  const { body } = await api.send<SessionRecord>(sessionsPath(), { method: 'POST', token: alice.accessToken, body: {} });
  return `${sessionsPath()}/${body.sessionId}`;
}
const say = async (session: string, text: string, onBusy: OnBusy = 'enqueue', key: string = randomUUID()) =>
  (await api.send<Taken>(`${session}/messages`, { method: 'POST', token: alice.accessToken, body: { text, onBusy }, headers: { 'idempotency-key': key } })).body;
const follow = (path: string) => readEvents(api.url + path, { token: alice.accessToken });

/** The log up to the end of this turn. */
async function logUntilEnd(session: string, turnId: string): Promise<SessionEvent[]> {
  const received = await readUntil(follow(`${session}/events`), (entry) => isTurnEnd(entry) && 'turnId' in entry && entry.turnId === turnId);
  return received.flatMap(({ entry }) => (isDelta(entry) ? [] : [entry]));
}

async function untilHeld(text: string): Promise<void> {
  while ((await model.holding(text)) === 0) await delay(10);
}

const endsOf = (log: readonly SessionEvent[]) => log.flatMap((event) => (event.type === 'turn.completed' ? [[event.turnId, event.outcome]] : []));

/** A prompt at which the model says two words, and then nothing more until it is released. */
async function heldPrompt(): Promise<string> {
  const text = `hold ${randomUUID()}`;
  await model.script({ match: text, steps: [{ say: 'one two three four', holdAfter: 2 }] });
  return text;
}

describe('a message that interrupts', () => {
  it('closes the connection to the model, keeps what was said, and is answered next, ahead of the queue', async () => {
    const session = await openSession();
    const text = await heldPrompt();
    const before = (await model.served()).abandoned;
    const running = await say(session, text);
    await readUntil(follow(running.eventsUrl), ({ type }) => type === 'text.delta');
    await untilHeld(text);
    const waiting = await say(session, 'What is 6*8?');
    const key = randomUUID();
    const next = await say(session, 'What is 6*7?', 'interrupt', key);
    expect(await say(session, 'What is 6*7?', 'interrupt', key)).toEqual(next);
    const log = await logUntilEnd(session, waiting.turnId);
    expect(endsOf(log)).toEqual([[running.turnId, 'interrupted'], [next.turnId, 'completed'], [waiting.turnId, 'completed']]);
    expect(log.find(({ type }) => type === 'message.completed')).toMatchObject({ turnId: running.turnId, text: 'one two ', partial: true });
    // Nobody released the stream: the server let it go because its caller had gone.
    expect(await model.holding(text)).toBe(0);
    expect((await model.served()).abandoned).toBeGreaterThan(before);
    const shown = (await model.served()).latest.map(({ request }) => JSON.stringify(request.messages)).filter((messages) => messages.includes(text));
    expect(shown.at(-1)).toMatch(/one two .*interrupted you here.*What is 6\*7\?/);
  });

  it('cancels a tool that reads, and gives the model a result for it', async () => {
    const session = await openSession();
    const running = await say(session, `Look at ${slow.origin}/slow`);
    const { gone } = await slow.next();
    const next = await say(session, 'What is 6*7?', 'interrupt');
    await gone;
    const log = await logUntilEnd(session, next.turnId);
    expect(endsOf(log)).toEqual([[running.turnId, 'interrupted'], [next.turnId, 'completed']]);
    expect(log.filter(({ type }) => type === 'tool.failed')).toMatchObject([{ turnId: running.turnId, code: 'turn/interrupted' }]);
  });

  it('lets a tool that writes finish, and keeps its result', async () => {
    const session = await openSession();
    const running = await say(session, `Place an order for 3 books at ${slow.origin}/orders`);
    const { response } = await slow.next();
    const next = await say(session, 'What is 6*7?', 'interrupt');
    response.writeHead(201, { 'content-type': 'application/json' }).end('{"order":"order-1"}');
    const log = await logUntilEnd(session, next.turnId);
    expect(endsOf(log)).toEqual([[running.turnId, 'interrupted'], [next.turnId, 'completed']]);
    expect(log.filter(({ type }) => type === 'tool.completed' || type === 'tool.failed').map(({ type }) => type)).toEqual(['tool.completed', 'tool.completed']);
  });

  it('interrupts what interrupted before it', async () => {
    const session = await openSession();
    const [first, second] = [await heldPrompt(), await heldPrompt()];
    const a = await say(session, first);
    await untilHeld(first);
    const b = await say(session, second, 'interrupt');
    await untilHeld(second);
    const c = await say(session, 'What is 6*7?', 'interrupt');
    expect(endsOf(await logUntilEnd(session, c.turnId))).toEqual([[a.turnId, 'interrupted'], [b.turnId, 'interrupted'], [c.turnId, 'completed']]);
  });
});

describe('a message that steers', () => {
  it('is seen at the next step, behind the results of the tools, and answered by the running turn', async () => {
    const session = await openSession();
    const [text, steering] = [`hold ${randomUUID()}`, `in words ${randomUUID()}`];
    await model.script({ match: text, steps: [{ say: 'One moment.', holdAfter: 1, calls: [{ name: 'calculator', input: { expression: '6*7' } }] }] });
    await model.script({ match: steering, steps: [{ say: 'forty-two' }] });
    const running = await say(session, text);
    await untilHeld(text);
    const taken = await say(session, steering, 'steer');
    await model.release(text);
    const log = await logUntilEnd(session, running.turnId);
    expect(endsOf(log)).toEqual([[running.turnId, 'completed']]);
    expect(log.filter(({ type }) => type === 'turn.steered')).toMatchObject([{ turnId: running.turnId, step: 2, messageId: taken.turnId, text: steering }]);
    const asked = (await model.served()).latest.map(({ request }) => request.messages.at(-1)).findLast((message) => JSON.stringify(message).includes(steering));
    expect(asked?.content.map((block) => Object.keys(block)[0])).toEqual(['toolResult', 'text']);
    expect(log.findLast(({ type }) => type === 'message.completed')).toMatchObject({ text: 'forty-two' });
  });

  it('gets the answer of the turn it joined, at the agent endpoint too', async () => {
    const session = await openSession();
    const [text, steering] = [`hold ${randomUUID()}`, `in words ${randomUUID()}`];
    await model.script({ match: text, steps: [{ say: 'One moment.', holdAfter: 1, calls: [{ name: 'calculator', input: { expression: '6*7' } }] }] });
    await model.script({ match: steering, steps: [{ say: 'forty-two' }] });
    await say(session, text);
    await untilHeld(text);
    const asked = api.send<{ answer: string; outcome: string }>(`/api/v1/tenant/${tenant.tenantId}/agent`, {
      method: 'POST',
      token: alice.accessToken,
      body: { prompt: steering, session_id: session.split('/').at(-1), on_busy: 'steer' },
    });
    // The message is in the session before the model goes on.
    while ((await api.send<{ status: { queuedTurns: number } }>(session, { token: alice.accessToken })).body.status.queuedTurns === 0) await delay(10);
    await model.release(text);
    expect((await asked).body).toMatchObject({ answer: 'forty-two', outcome: 'completed' });
  });

  it('has its answer again when its session has closed, and Temporal has forgotten it', async () => {
    const session = await openSession();
    const ref = { tenantId: tenant.tenantId, sessionId: session.split('/').at(-1) ?? '' };
    const text = `hold ${randomUUID()}`;
    await model.script({ match: text, steps: [{ say: 'One moment.', holdAfter: 1, calls: [{ name: 'calculator', input: { expression: '6*7' } }] }] });
    const running = await say(session, text);
    await untilHeld(text);
    const key = randomUUID();
    const taken = await say(session, 'and in words', 'steer', key);
    await model.release(text);
    await logUntilEnd(session, running.turnId);
    await api.send(`${session}/close`, { method: 'POST', token: alice.accessToken, body: {} });
    while ((await api.send<SessionRecord>(session, { token: alice.accessToken })).body.closedAt === undefined) await delay(500);
    const { sessionWorkflows } = api.adapters;
    while ((await sessionWorkflows.status(ref)).state !== 'idle') await sessionWorkflows.forgetAll(ref.tenantId);
    const again = await say(session, 'and in words', 'steer', key);
    expect(again.turnId).toBe(taken.turnId);
    const [next] = await api.adapters.log.read(ref, { after: again.after, limit: 1 });
    expect(next).toMatchObject({ type: 'turn.steered', messageId: taken.turnId });
    expect(await say(session, 'and in digits', 'steer')).toMatchObject({ status: 409, code: 'session/closed' });
  });

  it('is a turn of its own when the running one ends without another step', async () => {
    const session = await openSession();
    const text = await heldPrompt();
    const running = await say(session, text);
    await untilHeld(text);
    const taken = await say(session, 'What is 6*7?', 'steer');
    await model.release(text);
    const log = await logUntilEnd(session, taken.turnId);
    expect(endsOf(log)).toEqual([[running.turnId, 'completed'], [taken.turnId, 'completed']]);
  });
});

it('refuses a message to a session that works, when asked to', async () => {
  const session = await openSession();
  const text = await heldPrompt();
  const running = await say(session, text);
  await untilHeld(text);
  expect(await say(session, 'What is 6*7?', 'reject')).toMatchObject({ status: 409, code: 'session/busy' });
  await model.release(text);
  expect(endsOf(await logUntilEnd(session, running.turnId))).toEqual([[running.turnId, 'completed']]);
});

it('keeps what was said when a turn is cancelled, and takes the cancellation as often as it is sent', async () => {
  const session = await openSession();
  const text = await heldPrompt();
  const running = await say(session, text);
  await untilHeld(text);
  const cancel = () => api.send(`${session}/cancel`, { method: 'POST', token: alice.accessToken, body: { turnId: running.turnId } });
  expect((await cancel()).status).toBe(202);
  const log = await logUntilEnd(session, running.turnId);
  expect(log.slice(-3)).toMatchObject([{ type: 'message.completed', partial: true }, { type: 'usage.wasted' }, { type: 'turn.completed', outcome: 'cancelled' }]);
  expect((await cancel()).status).toBe(202);
});
