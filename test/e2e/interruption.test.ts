import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { patiently } from '../../src/cli/patience';
import type { SessionEvent } from '../../src/contracts/events';
import type { OnBusy } from '../../src/contracts/session';
import { OrdersServer } from '../../src/local/demo/orders-server';
import type { User } from '../../src/local/demo/user';
import { type RunningPlatform, runPlatform } from '../../campaign/running-platform';

let platform: RunningPlatform;
let shop: OrdersServer;
let alice: User;
let approver: string;

beforeAll(async () => {
  shop = await OrdersServer.start();
  platform = await runPlatform();
  const approvals = { rules: [{ tool: 'http_request', when: [{ pointer: '/method', is: 'equals', value: 'POST' }], decision: 'ask' }] };
  expect((await platform.onboard('acme', { tools: ['calculator', 'http_request', 'ask_user'], allowedOrigins: [shop.origin], approvals })).state).toBe('completed');
  alice = await platform.user('acme');
  ({ accessToken: approver } = await platform.accounts.userTokens('acme', 'admin@acme.example', ['administrators']));
});

afterAll(async () => {
  shop.stop();
  await platform.stop();
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(20);
}

const pathOf = (sessionId: string) => `/api/v1/tenants/acme/sessions/${sessionId}`;

async function say(sessionId: string, text: string, onBusy: OnBusy = 'enqueue'): Promise<string> {
  const request = { method: 'POST', token: alice.token, body: { text, onBusy }, idempotencyKey: randomUUID() } as const;
  return (await patiently(() => platform.api.call<{ turnId: string }>(`${pathOf(sessionId)}/messages`, request))).turnId;
}

/** The log once this turn has ended: no gap, and one end for each turn. */
async function logUntilEnd(sessionId: string, turnId: string): Promise<SessionEvent[]> {
  for (;;) {
    const log = await alice.log(sessionId);
    if (log.some((event) => event.type === 'turn.completed' && event.turnId === turnId)) {
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_event, index) => index + 1));
      return log;
    }
    await delay(100);
  }
}

const endsOf = (log: readonly SessionEvent[]) => log.flatMap((event) => (event.type === 'turn.completed' ? [[event.turnId, event.outcome]] : []));
const holdsAt = (text: string) => until(async () => (await platform.model.holding(text)) === 1);

it('ends an interrupted turn whose worker is killed before it hears of that, and runs the message that interrupted', async () => {
  const text = `long ${randomUUID()}`;
  const held = { say: 'one two three four', holdAfter: 2 };
  // The next worker's attempt must not answer before the interruption reaches it.
  await platform.model.script({ match: text, steps: [held, held] });
  const sessionId = await alice.open();
  const running = await say(sessionId, text);
  await holdsAt(text);
  const sent = say(sessionId, 'What is 6*7?', 'interrupt');
  platform.services.worker.kill('SIGKILL');
  const next = await sent;
  const log = await logUntilEnd(sessionId, next);
  expect(endsOf(log)).toEqual([[running, 'interrupted'], [next, 'completed']]);
});

it('shows a steering message once to the step whose worker is killed', async () => {
  const [text, steering] = [`look ${randomUUID()}`, `in words ${randomUUID()}`];
  await platform.model.script({ match: text, steps: [{ say: 'One moment.', holdAfter: 1, calls: [{ name: 'calculator', input: { expression: '6*7' } }] }] });
  await platform.model.script({ match: steering, steps: [{ say: 'forty-two it is', holdAfter: 1 }, { say: 'forty-two it is' }] });
  const sessionId = await alice.open();
  const running = await say(sessionId, text);
  await holdsAt(text);
  await say(sessionId, steering, 'steer');
  await platform.model.release(text);
  await holdsAt(steering);
  platform.services.worker.kill('SIGKILL');
  await platform.model.release(steering);
  const log = await logUntilEnd(sessionId, running);
  expect(endsOf(log)).toEqual([[running, 'completed']]);
  expect(log.filter(({ type }) => type === 'turn.steered')).toHaveLength(1);
  expect(log.findLast(({ type }) => type === 'message.completed')).toMatchObject({ text: 'forty-two it is' });
});

it('keeps an approval that waits while worker and Temporal are killed; approved, the tool runs once', async () => {
  const sessionId = await alice.open();
  const turnId = await say(sessionId, `Place an order for 3 books at ${shop.origin}/orders`);
  const waiting = async () => (await platform.api.call<{ data: { approvalId: string; sessionId: string }[] }>('/api/v1/tenants/acme/approvals', { token: approver })).data;
  await until(async () => (await waiting()).length === 1);
  platform.services.worker.kill('SIGKILL');
  platform.services.temporal.kill('SIGKILL');
  const [approval] = await patiently(waiting);
  const request = { method: 'POST', token: approver, body: { decision: 'approve' } } as const;
  const decided = await patiently(() => platform.api.call<{ state: string }>(`${pathOf(sessionId)}/approvals/${approval?.approvalId ?? ''}`, request));
  expect(decided.state).toBe('approved');
  await shop.firstOrder;
  platform.services.worker.kill('SIGKILL');
  shop.answerWithheld();
  const log = await logUntilEnd(sessionId, turnId);
  expect(endsOf(log)).toEqual([[turnId, 'completed']]);
  expect(shop.placed).toBe(1);
  expect(log.filter(({ type }) => type.startsWith('approval.')).map(({ type }) => type)).toEqual(['approval.requested', 'approval.voted', 'approval.decided']);
  expect(await waiting()).toEqual([]);
});

it('keeps the questions it asks while worker and Temporal are killed; answered in between, each answer is there once', async () => {
  const sessionId = await alice.open();
  const turnId = await say(sessionId, 'Ask me which one [red, blue]. Ask me how many?');
  const questions = async () => (await platform.api.call<{ data: { questionId: string; question: string; state: string }[] }>(`${pathOf(sessionId)}/questions`, { token: alice.token })).data;
  await until(async () => (await questions()).length === 2);
  platform.services.worker.kill('SIGKILL');
  platform.services.temporal.kill('SIGKILL');
  const [second, first] = [await patiently(questions)].flatMap((all) => [all.find(({ question }) => question === 'how many?'), all.find(({ question }) => question === 'which one?')]);
  const answer = (questionId: string, body: object) => patiently(() => platform.api.call<{ state: string }>(`${pathOf(sessionId)}/questions/${questionId}/answer`, { method: 'POST', token: alice.token, body }));
  expect((await answer(second?.questionId ?? '', { text: 'three' })).state).toBe('answered');
  platform.services.worker.kill('SIGKILL');
  expect((await answer(first?.questionId ?? '', { choices: ['blue'] })).state).toBe('answered');
  const log = await logUntilEnd(sessionId, turnId);
  expect(endsOf(log)).toEqual([[turnId, 'completed']]);
  expect(log.filter(({ type }) => type.startsWith('question.')).map(({ type }) => type)).toEqual(['question.asked', 'question.asked', 'question.answered', 'question.answered']);
  expect(log.findLast(({ type }) => type === 'message.completed')).toMatchObject({ text: 'You said: three. You said: blue.' });
});
