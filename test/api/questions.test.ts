import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createSessionActivities } from '../../src/activities/session';
import { DomainError } from '../../src/contracts/errors';
import { isDelta, type SessionEvent } from '../../src/contracts/events';
import { batchKeys, groups } from '../../src/contracts/names';
import type { Question } from '../../src/contracts/question';
import type { SessionRecord } from '../../src/contracts/session';
import type { ServedTenant } from '../../src/contracts/tenant';
import { modelControl } from '../../src/local/model/control';
import { type Account, newTenant, signUp } from './accounts';
import { isTurnEnd, readEvents, readUntil } from './events';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

const model = modelControl(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');
const colours = ['red', 'green', 'blue'];

interface Shown extends Question {
  readonly questionId: string;
  readonly state: string;
  readonly answer?: unknown;
  readonly code?: string;
  readonly detail?: string;
}

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let alice: Account;
let bob: Account;
let ann: Account;

beforeAll(async () => {
  [api, tenant] = await Promise.all([startApi(), newTenant()]);
  [alice, bob, ann] = await Promise.all([signUp(tenant, [groups.members]), signUp(tenant, [groups.members]), signUp(tenant, [groups.administrators])]);
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId]);
  await useAgent();
});
afterAll(async () => {
  await stopWorkers();
  await api.stop();
});

/** The tenant's agent, which can ask; in force at once in this process. */
async function useAgent(changes: object = {}): Promise<void> {
  const { status } = await api.send(`${tenantPath()}/config`, { method: 'PUT', token: ann.accessToken, body: { tools: ['ask_user', 'calculator'], ...changes } });
  expect(status).toBe(200);
}

const tenantPath = () => `/api/v1/tenants/${tenant.tenantId}`;
async function openSession(as: Account = alice): Promise<string> {
  const { body } = await api.send<SessionRecord>(`${tenantPath()}/sessions`, { method: 'POST', token: as.accessToken, body: {} });
  return `${tenantPath()}/sessions/${body.sessionId}`;
}

const say = (session: string, text: string, more: object = {}) => api.send<{ turnId: string }>(`${session}/messages`, { method: 'POST', token: alice.accessToken, body: { text, ...more } });
/** Says something on which the model calls the tool like this, and then says "done". */
async function sayFor(session: string, inputs: readonly unknown[]): Promise<string> {
  const text = `please ${randomUUID()}`;
  await model.script({ match: text, steps: [{ calls: inputs.map((input) => ({ name: 'ask_user', input: input as never })) }, { say: 'done' }] });
  return (await say(session, text)).body.turnId;
}
const durable = (received: Awaited<ReturnType<typeof readUntil>>) => received.flatMap(({ entry }): SessionEvent[] => (isDelta(entry) ? [] : [entry]));
const follow = (session: string) => readEvents(`${api.url}${session}/events`, { token: alice.accessToken });
const logUntilEnd = async (session: string) => durable(await readUntil(follow(session), isTurnEnd));
const questionsOf = async (session: string, by: Account = alice, query = '') => (await api.send<{ data: Shown[] }>(`${session}/questions${query}`, { token: by.accessToken })).body.data;
const answer = (session: string, questionId: string, body: object, by: Account = alice) => api.send<Shown>(`${session}/questions/${questionId}/answer`, { method: 'POST', token: by.accessToken, body });

/** The questions of a session, once so many wait. */
async function waitingIn(session: string, count = 1): Promise<Shown[]> {
  for (;;) {
    const waiting = await questionsOf(session, alice, '?state=waiting');
    if (waiting.length >= count) return waiting;
    await delay(20);
  }
}
const waitingFor = async (session: string, question: string, count = 1) => {
  const found = (await waitingIn(session, count)).find((one) => one.question === question);
  if (!found) throw new Error(`nobody asks ${question}`);
  return found;
};

describe('a question of the agent', () => {
  it('waits for its user, who sees it in the log and the list; the answer is what the model is told, as the user’s words', async () => {
    const session = await openSession();
    await say(session, 'Ask me which colour I want [red, green, blue]. Ask me what for?');
    const [which, what] = [await waitingFor(session, 'which colour I want?', 2), await waitingFor(session, 'what for?', 2)];
    expect(which).toMatchObject({ options: colours, state: 'waiting' });
    const statusNow = async () => (await api.send<{ status: { state: string } }>(session, { token: alice.accessToken })).body.status;
    while ((await statusNow()).state === 'running') await delay(20);
    expect(await statusNow()).toMatchObject({ state: 'waiting', waitingQuestions: 2 });
    const given = await answer(session, what.questionId, { text: 'the door' });
    expect([given.status, given.body]).toMatchObject([200, { state: 'answered', answer: { text: 'the door' } }]);
    expect(await questionsOf(session, alice, '?state=waiting')).toMatchObject([{ questionId: which.questionId }]);
    expect(await questionsOf(session, alice, '?state=answered')).toMatchObject([{ questionId: what.questionId }]);
    expect((await api.send(`${session}/questions?state=asked`, { token: alice.accessToken })).status).toBe(400);
    expect((await answer(session, which.questionId, { choices: ['blue'] })).body).toMatchObject({ state: 'answered', answer: { choices: ['blue'] } });
    const log = await logUntilEnd(session);
    expect(log.filter(({ type }) => type.startsWith('question.'))).toMatchObject([
      { type: 'question.asked' },
      { type: 'question.asked' },
      { type: 'question.answered', questionId: what.questionId, answer: { text: 'the door' } },
      { type: 'question.answered', questionId: which.questionId, answer: { choices: ['blue'] } },
    ]);
    expect(log.findLast(({ type }) => type === 'message.completed')).toMatchObject({ text: 'You said: the door. You said: blue.' });
    const { request } = (await model.latestOf(tenant.tenantId)) ?? {};
    expect(JSON.stringify(request?.system)).toContain('What ask_user returns as `answer` is the one exception');
    // Sent again it is the same answer; another one comes too late.
    expect((await answer(session, which.questionId, { choices: ['blue'] })).body).toMatchObject({ state: 'answered', answer: { choices: ['blue'] } });
    expect((await answer(session, which.questionId, { choices: ['red'] })).body).toMatchObject({ status: 409, code: 'question/closed', detail: 'It was answered already.' });
  });

  it('takes what fits it, and nothing else', async () => {
    const session = await openSession();
    await sayFor(session, [{ question: 'Which?', options: colours, multiple: true }]);
    const { questionId } = await waitingFor(session, 'Which?');
    expect((await answer(session, questionId, { text: 'red' })).body).toMatchObject({ status: 422, code: 'question/bad-answer' });
    expect((await answer(session, questionId, { choices: ['pink'] })).body).toMatchObject({ status: 422, code: 'question/bad-answer', detail: expect.stringContaining('red; green; blue') as string });
    expect((await answer(session, questionId, { choices: [] })).status).toBe(400);
    expect((await answer(session, questionId, { choices: ['red', 'blue'] })).body.state).toBe('answered');
    expect((await logUntilEnd(session)).find(({ type }) => type === 'tool.completed')).toMatchObject({ output: { answer: ['red', 'blue'] } });
  });

  it('is its own user’s to answer, and nobody else’s', async () => {
    const session = await openSession();
    const turnId = await sayFor(session, [{ question: 'Mine?' }]);
    const { questionId } = await waitingFor(session, 'Mine?');
    for (const other of [bob, ann]) expect((await answer(session, questionId, { text: 'yes' }, other)).body).toMatchObject({ status: 404, code: 'session/not-found' });
    expect((await answer(session, 'qst-none', { text: 'yes' })).body).toMatchObject({ status: 404, code: 'question/not-found' });
    expect(await questionsOf(session, ann)).toHaveLength(1);
    await api.send(`${session}/cancel`, { method: 'POST', token: alice.accessToken, body: { turnId } });
    expect((await logUntilEnd(session)).slice(-3)).toMatchObject([
      { type: 'question.closed', questionId, reason: 'cancelled' },
      { type: 'tool.failed', code: 'turn/cancelled', message: 'The turn ended before this question was answered.' },
      { type: 'turn.completed', outcome: 'cancelled' },
    ]);
    expect((await answer(session, questionId, { text: 'yes' })).body).toMatchObject({ status: 409, code: 'question/closed', detail: 'The turn that asked this was stopped before.' });
  });

  it('is asked once it is approved, where the policy asks for that', async () => {
    await useAgent({ approvals: { rules: [{ tool: 'ask_user', decision: 'ask' }] } });
    const session = await openSession();
    await sayFor(session, [{ question: 'May I ask?' }]);
    const approvals = async () => (await api.send<{ data: { approvalId: string }[] }>(`${session}/approvals`, { token: ann.accessToken })).body.data;
    while ((await approvals()).length === 0) await delay(20);
    expect(await questionsOf(session)).toEqual([]);
    await api.send(`${session}/approvals/${(await approvals())[0]?.approvalId ?? ''}`, { method: 'POST', token: ann.accessToken, body: { decision: 'approve' } });
    const { questionId } = await waitingFor(session, 'May I ask?');
    await answer(session, questionId, { text: 'you may' });
    expect((await logUntilEnd(session)).at(-1)).toMatchObject({ outcome: 'completed' });
    await useAgent({ approvals: { rules: [{ tool: 'ask_user', decision: 'deny' }] } });
    const silent = await openSession();
    await sayFor(silent, [{ question: 'And now?' }]);
    expect((await logUntilEnd(silent)).find(({ type }) => type === 'tool.failed')).toMatchObject({ code: 'tool/denied' });
    expect(await questionsOf(silent)).toEqual([]);
  });

  it('expires after the time the agent’s configuration says, and the model is told so', async () => {
    await useAgent({ questionSeconds: 1 });
    const session = await openSession();
    await sayFor(session, [{ question: 'Anybody?' }]);
    const log = await logUntilEnd(session);
    expect(log.find(({ type }) => type === 'question.closed')).toMatchObject({ reason: 'expired' });
    expect(log.find(({ type }) => type === 'tool.failed')).toMatchObject({ code: 'question/expired' });
    expect(log.at(-1)).toMatchObject({ outcome: 'completed' });
    const [{ questionId, state } = { questionId: '', state: '' }] = await questionsOf(session);
    expect(state).toBe('expired');
    expect((await answer(session, questionId, { text: 'me' })).body).toMatchObject({ status: 409, detail: 'Nobody had answered in time.' });
  });

  it('is not asked with what makes no question: the model is told at once', async () => {
    await useAgent();
    const session = await openSession();
    await sayFor(session, [{ question: '' }, { question: 'x', options: ['one'] }, { question: 'x', options: ['a', 'a'] }, { question: 'x'.repeat(3_000) }, { question: 'x', as: 'the user' }, 'what?']);
    const log = await logUntilEnd(session);
    expect(log.flatMap((event) => (event.type === 'tool.failed' ? [event.code] : []))).toEqual(Array.from({ length: 6 }, () => 'tool/invalid-input'));
    expect(log.at(-1)).toMatchObject({ outcome: 'completed' });
    expect(await questionsOf(session)).toEqual([]);
  });

  it('waits while a message waits behind it; one that steers is read with the answer', async () => {
    const session = await openSession();
    await sayFor(session, [{ question: 'Still there?' }]);
    const { questionId } = await waitingFor(session, 'Still there?');
    await say(session, 'as soon as you can', { onBusy: 'steer' });
    expect((await say(session, 'hello', { onBusy: 'reject' })).body).toMatchObject({ status: 409, code: 'session/busy' });
    await answer(session, questionId, { text: 'yes' });
    const log = await logUntilEnd(session);
    expect(log.filter(({ type }) => ['question.asked', 'question.answered', 'turn.steered', 'turn.completed'].includes(type)).map(({ type }) => type)).toEqual(['question.asked', 'question.answered', 'turn.steered', 'turn.completed']);
  });

  it('is answered for nobody where the clock has begun the turn', async () => {
    await api.send(`${tenantPath()}/schedules`, { method: 'POST', token: alice.accessToken, body: { name: 'asks', prompt: 'Ask me what to do.', times: { cron: '0 0 1 1 *' } } });
    await api.send(`${tenantPath()}/schedules/asks/runs`, { method: 'POST', token: alice.accessToken, body: {} });
    const run = async () => (await api.send<{ data: { sessionId?: string; outcome: string }[] }>(`${tenantPath()}/schedules/asks/runs`, { token: alice.accessToken })).body.data[0];
    while (((await run())?.outcome ?? 'running') === 'running') await delay(100);
    const { sessionId = '' } = (await run()) ?? {};
    const log = await logUntilEnd(`${tenantPath()}/sessions/${sessionId}`);
    expect(log.find(({ type }) => type === 'tool.failed')).toMatchObject({ code: 'question/nobody-there' });
    expect(log.filter(({ type }) => type === 'question.asked')).toEqual([]);
  });
});

it('waits for its answer although the last attempt at asking could not list it', async () => {
  const [session, turnId, callId] = [{ tenantId: tenant.tenantId, sessionId: randomUUID() }, randomUUID(), 'call-1'];
  const { log, questions } = api.adapters;
  const requested = { type: 'tool.requested', turnId, step: 1, callId, tool: 'ask_user', input: { question: 'Which?' } } as const;
  const { head: after } = await log.append(session, { after: 0, key: batchKeys.stepCompleted(turnId, 1), events: [requested] });
  const input = { ...session, turnId, userId: alice.userId, step: 1, after, call: { callId, tool: 'ask_user', requestedAt: after, timeoutMs: 1_000, maxAttempts: 1 } };
  const run = <Result>(activity: () => Promise<Result>) => new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run<[], Result, typeof activity>(activity);
  const away = new DomainError('dependency/unavailable', 'It is away.');
  await expect(run(() => createSessionActivities({ ...api.adapters, questions: { ...questions, open: () => Promise.reject(away) } }).useTool(input))).rejects.toBe(away);

  const { question } = await run(() => createSessionActivities(api.adapters).failTool({ ...input, code: away.code, message: away.message }));
  const entries = await log.read(session, { after: 0 });
  expect(entries.map(({ type }) => type)).toEqual(['tool.requested', 'tool.started', 'question.asked']);
  expect(entries.at(-1)).toMatchObject({ questionId: question?.questionId });
});
