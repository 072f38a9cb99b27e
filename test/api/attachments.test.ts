import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import express, { type Request, type Response } from 'express';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { createUploads } from '../../src/api/uploads';
import { loadConfig } from '../../src/config';
import type { StoredAttachment } from '../../src/contracts/attachment';
import { codeOf } from '../../src/contracts/errors';
import type { SessionEvent } from '../../src/contracts/events';
import { groups, objectKeys, tenantResources } from '../../src/contracts/names';
import type { SessionRecord } from '../../src/contracts/session';
import type { ServedTenant } from '../../src/contracts/tenant';
import { modelControl } from '../../src/local/model/control';
import { type Account, newTenant, signUp } from './accounts';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

/** One pixel. What follows the end of an image nobody looks at: it makes each one another. */
const png = (more = randomBytes(8)) => Buffer.concat([Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64'), more]);
const shaOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

const model = modelControl(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');
let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let alice: Account;
let bob: Account;

beforeAll(async () => {
  [api, tenant] = await Promise.all([startApi(), newTenant()]);
  [alice, bob] = await Promise.all([signUp(tenant, [groups.members]), signUp(tenant, [groups.members])]);
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId]);
});
const onTestEnd: (() => void)[] = [];
afterEach(() => onTestEnd.splice(0).forEach((end) => end()));
afterAll(async () => {
  await stopWorkers();
  await api.stop();
});

const sessionsPath = () => `/api/v1/tenants/${tenant.tenantId}/sessions`;
const openSession = async () => `${sessionsPath()}/${(await api.send<SessionRecord>(sessionsPath(), { method: 'POST', token: alice.accessToken, body: {} })).body.sessionId}`;
const upload = (session: string, name: string, mediaType: string, body: Uint8Array, { accessToken: token } = alice, headers: Record<string, string> = {}) =>
  api.send<StoredAttachment & { code?: string }>(`${session}/attachments?name=${encodeURIComponent(name)}`, { method: 'POST', token, body, headers: { 'content-type': mediaType, ...headers } });
const uploaded = async (...args: Parameters<typeof upload>) => (await upload(...args)).body.attachmentId;
const ask = (session: string, prompt: string, attachments?: readonly string[]) =>
  api.send<{ answer: string; turnId: string; outcome: string; code?: string }>(`/api/v1/tenant/${tenant.tenantId}/agent`, { method: 'POST', token: alice.accessToken, body: { prompt, session_id: session.split('/').at(-1), ...(attachments && { attachments }) } });
const raw = (path: string, { accessToken } = alice) => fetch(api.url + path, { headers: { authorization: `Bearer ${accessToken}` } });
const eventsOf = async (session: string) => (await api.send<{ data: SessionEvent[] }>(`${session}/events?limit=200`, { token: alice.accessToken })).body.data;

describe('an upload', () => {
  it('is given back byte for byte, to be saved and not to be run', async () => {
    const session = await openSession();
    const content = Buffer.from('<script>alert(1)</script>');
    const { status, headers, body } = await upload(session, "Büro's page.html", 'text/html; charset=utf-8', content);
    expect([status, body]).toEqual([201, { attachmentId: body.attachmentId, name: "Büro's page.html", mediaType: 'text/html', bytes: content.byteLength, sha256: shaOf(content), createdAt: body.createdAt }]);
    const there = await raw(headers.get('location') ?? '');
    expect(Buffer.from(await there.arrayBuffer())).toEqual(content);
    expect(Object.fromEntries(there.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-disposition': "attachment; filename*=UTF-8''B%C3%BCro%27s%20page.html",
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'cache-control': 'private, no-store',
    });
  });

  it('is listed with what else its session has, a page at a time', async () => {
    const session = await openSession();
    const made = await Promise.all(['a', 'b', 'c'].map(async (name) => (await upload(session, `${name}.txt`, 'text/plain', Buffer.from(name))).body));
    await upload(await openSession(), 'elsewhere.txt', 'text/plain', Buffer.from('x'));
    const listed: unknown[] = [];
    for (let query = '?limit=2'; query !== ''; ) {
      const { body } = await api.send<{ data: unknown[]; nextCursor?: string }>(`${session}/attachments${query}`, { token: alice.accessToken });
      expect(body.data.length).toBeLessThanOrEqual(2);
      listed.push(...body.data);
      query = body.nextCursor === undefined ? '' : `?limit=2&cursor=${body.nextCursor}`;
    }
    expect(listed).toHaveLength(3);
    expect(listed).toEqual(expect.arrayContaining(made));
    expect((await api.send(`${session}/attachments`, { token: bob.accessToken })).body.code).toBe('session/not-found');
    expect((await api.send(`${session}/attachments?cursor=elsewhere`, { token: alice.accessToken })).body.code).toBe('request/malformed');
  });

  it('is one, however often it is made; under another name it is another', async () => {
    const session = await openSession();
    const content = png();
    const [one, again, other, elsewhere] = await Promise.all([upload(session, 'a.png', 'image/png', content), upload(session, 'a.png', 'image/png', content), upload(session, 'b.png', 'image/png', content), upload(await openSession(), 'a.png', 'image/png', content)]);
    expect(again.body.attachmentId).toBe(one.body.attachmentId);
    expect(new Set([one, other, elsewhere].map(({ body }) => body.attachmentId)).size).toBe(3);
  });

  it.each([
    ['of no type a model reads', 415, 'attachment/unsupported-type', 'video/mp4', Buffer.from('x'), {}],
    ['that is packed', 415, 'attachment/unsupported-type', 'text/plain', Buffer.from('x'), { 'content-encoding': 'gzip' }],
    ['that is no image', 422, 'attachment/wrong-content', 'image/png', Buffer.from('GIF89a'), {}],
    ['of nothing', 422, 'attachment/wrong-content', 'text/plain', Buffer.alloc(0), {}],
    ['larger than its kind may be', 413, 'attachment/too-large', 'image/png', png(Buffer.alloc(3_750_000)), {}],
    ['without a usable name', 400, 'request/malformed', 'text/plain', Buffer.from('x'), { name: 'a/b' }],
  ])('%s is refused', async (_what, status, code, mediaType, content, { name = 'a name', ...headers }: Record<string, string>) => {
    const { body } = await upload(await openSession(), name, mediaType, content, alice, headers);
    expect(body).toMatchObject({ status, code });
  });

  it('that does not say how long it is, is broken off at the first byte too many', async () => {
    const outgoing = httpRequest(`${api.url}${await openSession()}/attachments?name=a.png`, { method: 'POST', headers: { authorization: `Bearer ${alice.accessToken}`, 'content-type': 'image/png' } });
    const answered = once(outgoing, 'response') as Promise<[NodeJS.ReadableStream & { statusCode?: number }]>;
    // It never ends: an answer can only come before.
    outgoing.write(png(Buffer.alloc(3_800_000)));
    const [response] = await answered;
    expect(response.statusCode).toBe(413);
    outgoing.destroy();
  });

  it("is nobody else's, word for word as if there were no such session", async () => {
    const session = await openSession();
    const path = `${session}/attachments/${await uploaded(session, 'a.txt', 'text/plain', Buffer.from('mine'))}`;
    const missing = path.replace(session, `${sessionsPath()}/ses-missing`);
    const without = (body: object) => ({ ...body, requestId: '' });
    for (const ask of [(where: string) => api.send(where, { token: bob.accessToken }), (where: string) => upload(where.split('/attachments')[0] ?? '', 'b.txt', 'text/plain', Buffer.from('x'), bob)]) {
      const [foreign, absent] = [await ask(path), await ask(missing)];
      expect([foreign.status, without(foreign.body)]).toEqual([404, without(absent.body)]);
    }
    expect((await api.send(path.replace(session, await openSession()), { token: alice.accessToken })).body.code).toBe('attachment/not-found');
  });

  it('that never was is not looked for in the bucket', async () => {
    const { attachments } = api.deps;
    const lookedFor: string[] = [];
    const watched = await startApi({ attachments: { ...attachments, read: (session, id) => (lookedFor.push(id), attachments.read(session, id)) } });
    const { body } = await watched.send(`${await openSession()}/attachments/att-${'0'.repeat(26)}`, { token: alice.accessToken });
    await watched.stop();
    expect([body.code, lookedFor]).toEqual(['attachment/not-found', []]);
  });

  it('is refused when the session has as many as its tier says', async () => {
    const standard = api.deps.tiers['standard'];
    const narrow = await startApi({ tiers: { ...api.deps.tiers, standard: { ...standard, attachments: 1, attachmentBytes: 2_000 } as NonNullable<typeof standard> } });
    const path = `${await openSession()}/attachments?name=a.txt`;
    const send = (text: string) => narrow.send(path, { method: 'POST', token: alice.accessToken, body: text, headers: { 'content-type': 'text/plain' } });
    const answers = [await send('x'.repeat(2_001)), await send('one'), await send('two')];
    await narrow.stop();
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([[413, 'attachment/too-large'], [201, undefined], [422, 'attachment/too-many']]);
  });
});

/** What the model was shown of images and documents for the turn that said this. */
async function seenAt(text: string): Promise<string[]> {
  const { latest } = await model.served();
  const asked = latest.findLast(({ request }) => JSON.stringify(request.messages).includes(text));
  return asked?.request.messages.flatMap(({ content }) => content.flatMap(({ image, document }) => image?.source.bytes.sha256 ?? document?.source.bytes.sha256 ?? [])) ?? [];
}

describe('a message', () => {
  it('brings the model the very bytes, this turn and the next, and in a fork; the log refers to them', async () => {
    const session = await openSession();
    const [image, text] = [png(), Buffer.from('Minutes of the meeting: we buy the blue one.')];
    const ids = [await uploaded(session, 'blue.png', 'image/png', image), await uploaded(session, 'minutes.txt', 'text/plain', text)];
    const [first, second] = [`What did I attach? ${randomUUID()}`, `And in that file? ${randomUUID()}`];
    const { body } = await ask(session, first, ids);
    expect(body.answer).toContain(`an image: png, ${image.byteLength} bytes, sha256 ${shaOf(image).slice(0, 16)}`);
    expect(body.answer).toContain('it begins "Minutes of the meeting: we buy the blue"');
    await ask(session, second);
    expect([await seenAt(first), await seenAt(second)]).toEqual([[image, text].map(shaOf), [image, text].map(shaOf)]);

    const started = (await eventsOf(session)).find((event) => event.type === 'turn.started');
    expect(started).toMatchObject({ text: first, attachments: [{ attachmentId: ids[0], name: 'blue.png', mediaType: 'image/png', bytes: image.byteLength }, { attachmentId: ids[1] }] });

    const { body: fork } = await api.send<SessionRecord>(`${session}/fork`, { method: 'POST', token: alice.accessToken, body: { turnId: body.turnId } });
    // The fork has its own: what becomes of the first one's is nothing to it.
    await remove(session, ids);
    const third = `Which document is it? ${randomUUID()}`;
    await ask(`${sessionsPath()}/${fork.sessionId}`, third);
    expect(await seenAt(third)).toEqual([image, text].map(shaOf));
  });

  it('that refers to what is gone names it, and is answered', async () => {
    const session = await openSession();
    const id = await uploaded(session, 'gone.png', 'image/png', png());
    await remove(session, [id]);
    const text = `Hello ${randomUUID()}`;
    expect((await ask(session, text, [id])).body.outcome).toBe('completed');
    expect(await seenAt(text)).toEqual([]);
    expect(JSON.stringify((await model.served()).latest)).toContain('gone.png');
  });

  it('that the model refuses ends as refused, and does not spoil the session', async () => {
    const session = await openSession();
    const id = await uploaded(session, 'odd.png', 'image/png', png());
    const [refused, next] = [`odd ${randomUUID()}`, `next ${randomUUID()}`];
    await model.script({ match: refused, steps: [{ fail: { kind: 'validation' } }] });
    expect((await ask(session, refused, [id])).body.code).toBe('model/refused');
    expect((await ask(session, next)).body.outcome).toBe('completed');
    expect(await seenAt(next)).toEqual([]);
  });

  it('can refer to nothing that is not there, and to no more than one request holds', async () => {
    const session = await openSession();
    const ids = await Promise.all(Array.from({ length: 6 }, (_, index) => uploaded(session, `${index}.txt`, 'text/plain', Buffer.from('x'))));
    const foreign = await uploaded(await openSession(), 'a.txt', 'text/plain', Buffer.from('x'));
    const codes = await Promise.all([ids, [foreign], ['nonsense']].map(async (attachments) => (await ask(session, 'Hello', attachments)).body.code));
    expect(codes).toEqual(['attachment/too-many', 'attachment/not-found', 'request/malformed']);
  });
});

async function remove(session: string, ids: readonly string[]): Promise<void> {
  const { s3 } = createPlatformClients(loadConfig().aws);
  for (const id of ids) await s3.send(new DeleteObjectCommand({ Bucket: tenantResources(tenant.tenantId).bucket, Key: objectKeys.attachment(session.split('/').at(-1) ?? '', id) }));
}

/** As the API takes them in, with little memory. */
it('takes in no more at once than there is memory for, and from one tenant a part of it', async () => {
  const uploadOf = createUploads({ atOnce: 100, ofTenant: 60 });
  const begun = new EventEmitter();
  const app = express().post('/:tenantId', async (request: Request, response: Response) => {
    const taken = uploadOf(request, String(request.params['tenantId']));
    const read = taken.read(50);
    begun.emit('reading');
    const answer = await read.then(({ byteLength }) => String(byteLength), (error: unknown) => codeOf(error) ?? String(error));
    taken.done();
    response.end(answer);
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestEnd.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const send = async (tenantId: string, bytes: number) => (await fetch(`${url}/${tenantId}`, { method: 'POST', body: Buffer.alloc(bytes) })).text();
  const hasItsPlace = once(begun, 'reading');
  const slow = httpRequest(`${url}/a`, { method: 'POST', headers: { 'content-length': '50' } });
  slow.on('error', () => undefined);
  slow.write(Buffer.alloc(49));
  await hasItsPlace;
  // It holds 50 of the tenant's 60, of 100 in all.
  expect([await send('a', 11), await send('a', 10), await send('b', 50), await send('b', 51)]).toEqual(['attachment/busy', '10', '50', 'attachment/too-large']);
  const done = once(slow, 'response');
  slow.end(Buffer.alloc(1));
  await done;
  expect(await send('a', 50)).toBe('50');
});
