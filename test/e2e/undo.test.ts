import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from '../../campaign/until';
import { problemsOfNumbers } from '../../campaign/sessions/verdict';
import { type RunningPlatform, runPlatform } from '../../campaign/running-platform';
import { patiently } from '../../src/cli/patience';
import type { SignedErasure } from '../../src/contracts/erasure';
import { groups } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import { User } from '../../src/local/demo/user';

jest.setTimeout(150_000);

/** Places and cancels; of keys it is told it does each once. An answer that is withheld never comes. */
const calls: string[] = [];
const cancelled: string[] = [];
const keys = new Set<unknown>();
let withholding: string | undefined;
const withheld: ServerResponse[] = [];
const shop = createServer((request, response) => {
  request.resume();
  const url = request.url ?? '';
  calls.push(url);
  const [, , order = ''] = url.split('/');
  const key = request.headers['idempotency-key'];
  if (order !== '' && (key === undefined || !keys.has(key))) cancelled.push(order);
  if (key !== undefined) keys.add(key);
  if (order !== '' && withholding === order) {
    withholding = undefined;
    withheld.push(response);
    return;
  }
  response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ id: `o${calls.length}` }));
});

let platform: RunningPlatform;
let ann: User;

beforeAll(async () => {
  shop.listen(0, '127.0.0.1');
  await once(shop, 'listening');
  const origin = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`;
  platform = await runPlatform();
  expect((await platform.onboard('acme', { tools: ['shop__place', 'shop__book'], allowedOrigins: [origin] })).state).toBe('completed');
  ann = await platform.user('acme', 'ann');
  const orderId = { name: 'orderId', in: 'path', required: true, schema: { type: 'string' } };
  const key = { name: 'Idempotency-Key', in: 'header', schema: { type: 'string' } };
  const paths = {
    '/orders': { post: { operationId: 'place', parameters: [] } },
    '/bookings': { post: { operationId: 'book', parameters: [] } },
    '/orders/{orderId}/cancel': { post: { operationId: 'cancel', parameters: [orderId, key] } },
    '/bookings/{orderId}/release': { post: { operationId: 'release', parameters: [orderId] } },
  };
  const back = (call: string) => ({ call, with: { '/orderId': '/output/body/id' } });
  const body = { settings: { kind: 'openapi', server: origin, undo: { place: back('cancel'), book: back('release') } }, document: { openapi: '3.0.3', info: { title: 'Shop', version: '1' }, paths } };
  const { accessToken: token } = await platform.accounts.userTokens('acme', 'admin@acme.example', [groups.administrators]);
  await platform.api.call('/api/v1/tenants/acme/tool-sources/shop', { method: 'PUT', token, body });
  // What a worker knows of sources is two seconds old at most.
  await until('the worker knows the source', async () => (await acting('shop__place')).orders.length === 2);
});
afterAll(async () => {
  await platform.stop();
  shop.closeAllConnections();
  shop.close();
});

async function operated(path: string, body: object = {}, token = platform.operator): Promise<Operation> {
  return platform.ended(await platform.api.call<Operation>(`/api/v1/tenants/${path}`, { method: 'POST', token, body }));
}

/** Two calls in a turn. @returns their orders, the first first. */
async function acting(tool: string) {
  const text = `do ${randomUUID()}`;
  await platform.model.script({ match: text, steps: [{ calls: [{ name: tool, input: {} }] }, { calls: [{ name: tool, input: {} }] }, { say: 'Done.' }] });
  const turn = await ann.ask(await ann.open(), text);
  return { ...turn, orders: turn.entries.flatMap((entry) => (entry.type === 'tool.completed' ? [(entry.output as { body: { id: string } }).body.id] : [])) };
}

/**
 * Has a turn taken back, and waits until all is said of it.
 * @param meanwhile - once it was asked for.
 * @returns what became of it, as the events say.
 */
async function takenBack(user: User, { sessionId, turnId }: { sessionId: string; turnId: string }, meanwhile = () => Promise.resolve()): Promise<string[]> {
  const request = { method: 'POST', token: user.token, body: {}, idempotencyKey: randomUUID() } as const;
  const { undoId } = await patiently(() => platform.api.call<{ undoId: string }>(`/api/v1/tenants/${user.tenantId}/sessions/${sessionId}/turns/${turnId}/undo`, request));
  await meanwhile();
  await until('all is said', async () => (await user.log(sessionId)).some((event) => event.type === 'undo.completed' && event.undoId === undoId));
  const log = await user.log(sessionId);
  expect(problemsOfNumbers(log)).toEqual([]);
  return log.flatMap((event) => ('undoId' in event && event.undoId === undoId ? [event.type === 'tool.undo-failed' ? event.code : event.type] : []));
}

/** Its worker is killed when the order is cancelled and nobody has heard of it. */
function takenBackWhileKilled(turn: { sessionId: string; turnId: string }, order: string): Promise<string[]> {
  withholding = order;
  return takenBack(ann, turn, async () => {
    await until('the order is cancelled', () => Promise.resolve(cancelled.includes(order)));
    platform.services.worker.kill('SIGKILL');
  });
}

it('a worker killed in the middle of an undo is followed by another: each call is taken back once', async () => {
  const { orders: [first = '', second = ''], ...turn } = await acting('shop__place');
  expect(await takenBackWhileKilled(turn, second)).toEqual(['tool.undone', 'tool.undone', 'undo.completed']);
  expect(cancelled.slice(-2)).toEqual([second, first]);
  expect(calls.filter((url) => url.startsWith(`/orders/${second}/`))).toHaveLength(2);
});

it('where the target tells no repetition it is not repeated: its user is told, and the rest is taken back', async () => {
  const { orders: [first = '', second = ''], ...turn } = await acting('shop__book');
  expect(await takenBackWhileKilled(turn, second)).toEqual(['tool/outcome-unknown', 'tool.undone', 'undo.completed']);
  expect(cancelled.slice(-2)).toEqual([second, first]);
  expect(calls.filter((url) => url.startsWith(`/bookings/${second}/`))).toHaveLength(1);
});

it('what was taken back stays so in an export, in a backup and where it is restored; what was not can be taken back there; an erasure leaves nothing of it', async () => {
  const done = await acting('shop__place');
  const before = await acting('shop__place');
  expect(await takenBack(ann, done)).toEqual(['tool.undone', 'tool.undone', 'undo.completed']);
  const log = await ann.log(done.sessionId);
  const path = `/api/v1/tenants/acme/sessions/${done.sessionId}`;
  const exported = await fetch(`${platform.settings.apiUrl}${path}/events?format=jsonl`, { headers: { authorization: `Bearer ${ann.token}` } });
  expect((await exported.text()).trim().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual(log);

  const { backupId } = await operated('acme/backups');
  expect(await operated('globex/restore', { backupId, sourceTenantId: 'acme' })).toMatchObject({ state: 'completed' });
  const { userId, accessToken } = await platform.accounts.userTokens('globex', 'ann@acme.example');
  const annThere = new User(platform.api, 'globex', userId, accessToken);
  expect(await annThere.log(done.sessionId)).toEqual(log);
  const cancelledBefore = [...cancelled];
  expect(await takenBack(annThere, done)).toEqual(['undo.completed']);
  expect(cancelled).toEqual(cancelledBefore);
  expect(await takenBack(annThere, before)).toEqual(['tool.undone', 'tool.undone', 'undo.completed']);
  expect(cancelled).toEqual([...cancelledBefore, ...before.orders.toReversed()]);
  // It was another tenant that took it back: here it is as it was, and its target says what there is to say.
  expect((await ann.log(before.sessionId)).some(({ type }) => type === 'tool.undone')).toBe(false);

  const { operationId, state } = await operated(`acme/sessions/${done.sessionId}/erase`, {}, ann.token);
  expect(state).toBe('completed');
  const { statement } = await platform.api.call<{ statement: SignedErasure }>(`/api/v1/tenants/acme/erasures/${operationId}`, { token: ann.token });
  expect(statement.statement.places.map(({ place, after }) => [place, after])).toEqual([['table', 0], ['bucket', 0], ['memory', 0], ['live', 0], ['temporal', 0]]);
  await expect(platform.api.call(`${path}/turns/${done.turnId}/undo`, { method: 'POST', token: ann.token, body: {} })).rejects.toMatchObject({ code: 'session/not-found' });
});
