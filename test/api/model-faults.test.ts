import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createSessionActivities } from '../../src/activities/session';
import type { CompactInput } from '../../src/activities/session/compact';
import type { ThinkInput } from '../../src/activities/session/think';
import { createSessionLog } from '../../src/adapters/aws/session-log';
import type { Delta, SessionEvent, Usage } from '../../src/contracts/events';
import type { JsonValue } from '../../src/contracts/model';
import { groups } from '../../src/contracts/names';
import type { AgentConfig, ServedTenant } from '../../src/contracts/tenant';
import { modelControl } from '../../src/local/model/control';
import type { CompactionResult, Thought } from '../../src/domain/session';
import type { SessionLog } from '../../src/ports/session-store';
import { access, cipher } from '../adapters/aws/tenants';
import { type Account, newTenant, signUp } from './accounts';
import { isTurnEnd, readEvents, readUntil } from './events';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

/** What a model can do wrong, and what becomes of the turn. */

const model = modelControl(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let alice: Account;
let admin: Account;

beforeAll(async () => {
  process.env['MODEL_CONTEXTS'] = '{"small":{"tokens":4000,"compactAt":0.5}}';
  [api, tenant] = await Promise.all([startApi(), newTenant()]);
  [alice, admin] = await Promise.all([signUp(tenant, [groups.members]), signUp(tenant, [groups.administrators])]);
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId]);
});
afterAll(async () => {
  await stopWorkers();
  await api.stop();
});

interface Answer {
  readonly sessionId: string;
  readonly usage?: Usage;
  readonly answer: string;
  readonly outcome: string;
  readonly value?: JsonValue;
  readonly code?: string;
}

const ask = (prompt: string, sessionId?: string, agent?: string) =>
  api.send<Answer>(`/api/v1/tenant/${tenant.tenantId}/agent`, {
    method: 'POST',
    token: alice.accessToken,
    body: { prompt, ...(sessionId !== undefined && { session_id: sessionId }), ...(agent !== undefined && { agent }) },
  });

const makeAgent = (name: string, settings: Partial<AgentConfig>) =>
  api.send<{ code?: string; detail?: string }>(`/api/v1/tenants/${tenant.tenantId}/agents`, { method: 'POST', token: admin.accessToken, body: { name, settings } });

async function logOf(sessionId: string): Promise<SessionEvent[]> {
  const path = `/api/v1/tenants/${tenant.tenantId}/sessions/${sessionId}/events?limit=500`;
  const { body } = await api.send<{ data: SessionEvent[] }>(path, { token: alice.accessToken });
  expect(body.data.map(({ seq }) => seq)).toEqual(body.data.map((_event, index) => index + 1));
  return body.data;
}

const count = (log: readonly SessionEvent[], type: SessionEvent['type']) => log.filter((event) => event.type === type).length;

it.each(['throttling', 'unavailable', 'internal'] as const)('tries again after %s, and answers', async (kind) => {
  await model.script({ match: `again ${kind}`, steps: [{ fail: { kind } }, { fail: { kind } }, { say: 'There you are.' }] });
  const { status, body } = await ask(`again ${kind}`);
  expect([status, body.answer]).toEqual([200, 'There you are.']);
  expect(count(await logOf(body.sessionId), 'usage.recorded')).toBe(1);
});

it('takes back what a broken stream had said, and says it anew', async () => {
  await model.script({ match: 'broken stream', steps: [{ say: 'one two three', fail: { kind: 'stream-error', after: 2 } }, { say: 'one two three' }] });
  const { body } = await ask('broken stream');
  expect(body).toMatchObject({ outcome: 'completed', answer: 'one two three' });
  const log = await logOf(body.sessionId);
  expect([count(log, 'step.reset'), count(log, 'message.completed')]).toEqual([1, 1]);
});

it.each([
  ['input that is no JSON', { name: 'calculator', rawInput: '{"expression": ' }, 'tool/invalid-input'],
  ['input of another shape', { name: 'calculator', input: { sum: 1 } }, 'tool/invalid-input'],
  ['a tool there is not', { name: 'launch_rocket', input: {} }, 'tool/unknown'],
  ['an address nobody allowed', { name: 'http_request', input: { url: 'http://169.254.169.254/' } }, 'tool/invalid-input'],
])('tells the model of %s, and goes on', async (what, call, code) => {
  await model.script({ match: what, steps: [{ calls: [call] }, { say: 'I see.' }] });
  const { body } = await ask(what);
  expect(body).toMatchObject({ outcome: 'completed', answer: 'I see.' });
  const log = await logOf(body.sessionId);
  expect(log.find(({ type }) => type === 'tool.failed')).toMatchObject({ code });
  expect(count(log, 'tool.requested')).toBe(count(log, 'tool.failed') + count(log, 'tool.completed'));
});

it('ends a turn that never stops asking for tools, and the session goes on', async () => {
  await model.script({ match: 'never stop', repeat: true, steps: [{ calls: [{ name: 'calculator', input: { expression: '1+1' } }] }] });
  const { status, body } = await ask('never stop');
  expect([status, body.outcome]).toEqual([200, 'max_steps']);
  expect(count(await logOf(body.sessionId), 'step.started')).toBe(12);
  expect((await ask('Hello', body.sessionId)).body.outcome).toBe('completed');
});

it('says that the model refused, and the session goes on', async () => {
  await model.script({ match: 'refuse me', steps: [{ fail: { kind: 'validation' } }] });
  const { status, body } = await ask('refuse me');
  expect([status, body.code]).toEqual([502, 'model/refused']);
  await model.script({ match: 'so long', steps: [{ fail: { kind: 'too-long' } }] });
  expect((await ask('so long')).body.code).toBe('model/context-overflow');
});

const wish = { name: 'remember', input: { fact: 'never said' } };

it.each([
  ['stop_sequence', 200, 'completed', undefined],
  ['max_tokens', 200, 'completed', 'model/cut-off'],
  ['guardrail_intervened', 422, undefined, 'model/guardrail-intervened'],
  ['content_filtered', 422, undefined, 'model/content-filtered'],
  ['model_context_window_exceeded', 422, undefined, 'model/context-overflow'],
  ['of_the_future', 502, undefined, 'model/unknown-stop'],
] as const)('ends a turn whose model stops for %s by a name', async (stopReason, status, outcome, code) => {
  const prompt = `stop for ${stopReason}`;
  // Of an answer that is not one, nothing is carried out.
  await model.script({ match: prompt, steps: [{ say: 'As far as', stopReason, calls: status === 200 ? [] : [wish] }] });
  const sessionId = prompt.replaceAll(/[ _]/g, '-');
  const answer = await ask(prompt, sessionId);
  expect([answer.status, answer.body.outcome, answer.body.code]).toEqual([status, outcome, code]);
  const log = await logOf(sessionId);
  expect(log.at(-1)).toMatchObject({ type: 'turn.completed', outcome: outcome ?? 'failed', ...(code && { code }) });
  expect([count(log, 'tool.requested'), count(log, 'usage.recorded')]).toEqual([0, 1]);
});

it('asks again when the model writes what cannot be read, three times at most, and counts each', async () => {
  const bad = { say: 'hm', stopReason: 'malformed_tool_use', usage: { inputTokens: 10, outputTokens: 2 } };
  await model.script({ match: 'once garbled', steps: [bad, { say: 'Once more.' }] });
  const { body } = await ask('once garbled');
  expect(body).toMatchObject({ outcome: 'completed', answer: 'Once more.' });
  const log = await logOf(body.sessionId);
  expect(log.filter(({ type }) => type === 'usage.wasted' || type === 'step.reset')).toMatchObject([{ type: 'usage.wasted', usage: { inputTokens: 10, outputTokens: 2 } }, { type: 'step.reset' }]);
  await model.script({ match: 'always garbled', repeat: true, steps: [bad] });
  expect((await ask('always garbled')).body.code).toBe('model/malformed-output');
  expect((await model.served()).latest.filter(({ request }) => JSON.stringify(request.messages).includes('always garbled'))).toHaveLength(3);
});

it('does not make a call that may have been cut, and tells the model', async () => {
  await model.script({ match: 'cut in a call', steps: [{ stopReason: 'max_tokens', calls: [wish] }, { say: 'Shorter, then.' }] });
  const { body } = await ask('cut in a call');
  expect(body).toMatchObject({ outcome: 'completed', answer: 'Shorter, then.' });
  const log = await logOf(body.sessionId);
  expect([count(log, 'tool.failed'), count(log, 'tool.started')]).toEqual([1, 0]);
});

it('waits as long as a busy model asks for', async () => {
  await model.script({ match: 'later', steps: [{ fail: { kind: 'throttling', retryAfterSeconds: 2 } }, { say: 'Now.' }] });
  const log = await logOf((await ask('later')).body.sessionId);
  const at = (type: SessionEvent['type']) => Date.parse(log.find((event) => event.type === type)?.at ?? '');
  expect(at('message.completed') - at('step.started')).toBeGreaterThan(1_800);
});

describe('a step whose attempts go different ways', () => {
  const begins = ['session.started', 'turn.queued', 'turn.started'] as const;
  const answers = ['message.completed', 'usage.recorded', 'turn.completed'] as const;

  beforeAll(async () => {
    await makeAgent('free', {});
    await makeAgent('spent', { budgets: { session: { modelCalls: 0 } } });
    await makeAgent('recalling', { memory: { retrieve: { most: 3 } } });
    await makeAgent('recalling-spent', { memory: { retrieve: { most: 3 } }, budgets: { session: { modelCalls: 0 } } });
  });

  /** A session at its first turn, and how an attempt at a step of it is made, with the settings of the agent that it finds. */
  async function newTurn(text: string) {
    const { messages } = api.adapters;
    const session = { tenantId: tenant.tenantId, sessionId: randomUUID() };
    const turnId = randomUUID();
    const { userId } = alice;
    await messages.put(session, { turnId, userId, text });
    const attempt = (number: number, agent: string, place: Partial<ThinkInput> = {}, log: SessionLog = api.adapters.log) => {
      const activities = createSessionActivities({ ...api.adapters, log });
      return new MockActivityEnvironment({ attempt: number }, { logger: new DefaultLogger('ERROR') }).run<[ThinkInput], Thought, typeof activities.think>((given) => activities.think(given), {
        ...session, turnId, userId, step: 1, announced: false, after: 0, historyStart: 0, agent: { name: agent, version: 1 }, ...place,
      });
    };
    const types = async () => (await api.adapters.log.read(session, { after: 0 })).map(({ type }) => type);
    const steer = async (message: string) => {
      const messageId = randomUUID();
      await messages.put(session, { turnId: messageId, userId, text: message });
      return messageId;
    };
    return { session, attempt, types, steer };
  }

  /** How often these words were in what the tenant's model was shown last. */
  async function timesShown(words: string): Promise<number> {
    const last = await model.latestOf(tenant.tenantId);
    return JSON.stringify(last?.request.messages).split(words).length - 1;
  }
  const busyOnce = (match: string) => model.script({ match, steps: [{ fail: { kind: 'throttling' } }, { say: 'Here I am.' }] });

  it('begins once when one breaks, the next is refused, and the turn goes on later', async () => {
    const { attempt, types } = await newTurn('broken, then refused');
    await busyOnce('broken, then refused');
    await expect(attempt(1, 'free')).rejects.toMatchObject({ code: 'model/throttled' });
    const { head, exhausted } = await attempt(2, 'spent');
    expect(exhausted).toMatchObject({ level: 'session', unit: 'modelCalls' });
    await attempt(1, 'free', { resumed: true, after: head });
    expect(await types()).toEqual([...begins, 'step.started', 'budget.exhausted', 'step.reset', ...answers]);
    expect(await timesShown('broken, then refused')).toBe(1);
  });

  it('begins once when one is refused and lost, and the next finds budget', async () => {
    const { attempt, types } = await newTurn('refused, then served');
    await attempt(1, 'spent');
    await attempt(2, 'free');
    expect(await types()).toEqual([...begins, 'budget.exhausted', 'step.started', ...answers]);
    expect(await timesShown('refused, then served')).toBe(1);
  });

  it('begins once when recalling is switched on between two', async () => {
    const { attempt, types } = await newTurn('recalls later');
    await busyOnce('recalls later');
    await expect(attempt(1, 'free')).rejects.toMatchObject({ code: 'model/throttled' });
    await attempt(2, 'recalling');
    expect(await types()).toEqual([...begins, 'step.started', 'facts.recalled', 'step.reset', ...answers]);
    expect(await timesShown('recalls later')).toBe(1);
  });

  it('begins once when recalling is switched off between two', async () => {
    const { attempt, types } = await newTurn('recalls no more');
    await attempt(1, 'recalling-spent');
    await attempt(2, 'free');
    expect(await types()).toEqual([...begins, 'facts.recalled', 'budget.exhausted', 'step.started', ...answers]);
    expect(await timesShown('recalls no more')).toBe(1);
  });

  it('keeps to the answer of one that was given up for dead, which comes when the next one has looked for it', async () => {
    const { attempt, types } = await newTurn('a late answer');
    await model.script({ match: 'a late answer', steps: [{ say: 'The first.' }, { say: 'The second.' }] });
    // Of another process: it has the table in common with the first one's, and nothing else.
    const log = createSessionLog({ access, cipher });
    const lookingTooEarly: SessionLog = {
      ...log,
      async find(...asked) {
        const found = await log.find(...asked);
        await attempt(1, 'free');
        return found;
      },
    };
    await expect(attempt(2, 'free', {}, lookingTooEarly)).rejects.toMatchObject({ code: 'log/moved' });
    expect(await attempt(3, 'free', {}, log)).toMatchObject({ outcome: 'completed' });
    expect(await types()).toEqual([...begins, 'step.started', ...answers]);
  });

  it('waits for no budget any more once it has ended for want of one', async () => {
    await makeAgent('ending', { budgets: { session: { modelCalls: 0 }, onExhausted: 'end' } });
    const { session, attempt } = await newTurn('waits, then ends');
    const isWaiting = async () => {
      for await (const { sessionId } of api.adapters.budgetLedger.waiting(tenant.tenantId)) if (sessionId === session.sessionId) return true;
      return false;
    };
    const { head } = await attempt(1, 'spent');
    expect(await isWaiting()).toBe(true);
    expect(await attempt(1, 'ending', { resumed: true, after: head })).toMatchObject({ outcome: 'budget_exhausted' });
    expect(await isWaiting()).toBe(false);
  });

  it('hears a message that joined the turn once', async () => {
    const { attempt, types, steer } = await newTurn('a first word');
    await model.script({ match: 'a first word', steps: [{ calls: [{ name: 'calculator', rawInput: '{' }] }] });
    const { head } = await attempt(1, 'free');
    const before = await types();
    const second = { step: 2, announced: true, after: head, steering: [await steer('a second word')] };
    await busyOnce('a second word');
    await expect(attempt(1, 'free', second)).rejects.toMatchObject({ code: 'model/throttled' });
    const refused = await attempt(2, 'spent', second);
    await attempt(1, 'free', { ...second, steering: [], resumed: true, after: refused.head });
    expect((await types()).slice(before.length)).toEqual(['turn.steered', 'step.started', 'budget.exhausted', 'step.reset', ...answers]);
    expect(await timesShown('a second word')).toBe(1);
  });

  it('says so once to who reads it, when the last one ends the turn', async () => {
    await makeAgent('sparing', { budgets: { session: { modelCalls: 1 }, onExhausted: 'end' } });
    await model.script({ match: 'no second call', steps: [{ say: 'one two three', fail: { kind: 'stream-error', after: 2 } }] });
    const sessionId = randomUUID();
    expect((await ask('no second call', sessionId, 'sparing')).body.code).toBe('budget/exhausted');
    expect((await logOf(sessionId)).map(({ type }) => type)).toEqual([...begins, 'step.started', 'usage.wasted', 'budget.exhausted', 'turn.completed']);
  });
});

describe('a conversation that becomes too long for the model', () => {
  const words = (begin: string) => `${begin} ${'and so on '.repeat(120)}`;
  const latestMessages = async () => JSON.stringify((await model.latestOf(tenant.tenantId))?.request.messages);
  const summaryIn = (log: readonly SessionEvent[]) => log.flatMap((event) => (event.type === 'history.compacted' ? [event] : []));
  const inputOf = async (sessionId: string, { turnId, step, upTo, seq }: ReturnType<typeof summaryIn>[number]): Promise<CompactInput> => {
    const before = (await logOf(sessionId)).filter((event) => event.seq < seq).length;
    return { tenantId: tenant.tenantId, sessionId, turnId, step, userId: alice.userId, after: before, historyStart: 0, agent: { name: 'small', version: 1 }, plan: { upTo, maxCharacters: 6_000 } };
  };

  it('goes on with a summary of what is older; the log keeps all of it, and a fork has both', async () => {
    const administrator = await signUp(tenant, [groups.administrators]);
    const settings = { modelId: 'small', systemPrompt: 'Be brief.', tools: ['calculator'] };
    await api.send(`/api/v1/tenants/${tenant.tenantId}/agents`, { method: 'POST', token: administrator.accessToken, body: { name: 'small', settings } });
    const { sessionId } = (await ask(words('My order is 4711'), undefined, 'small')).body;
    let summaries: ReturnType<typeof summaryIn> = [];
    for (let turn = 1; summaries.length === 0 && turn < 8; turn += 1) {
      expect((await ask(words(`Number ${turn}`), sessionId)).body.outcome).toBe('completed');
      summaries = summaryIn(await logOf(sessionId));
    }
    const log = await logOf(sessionId);
    const [compacted] = summaries;
    if (!compacted) throw new Error('nothing was summarised');
    expect(compacted.summary).toContain('My order is 4711');
    expect(log.find(({ type }) => type === 'turn.started')).toMatchObject({ text: words('My order is 4711').trim() });
    expect(log[compacted.seq]).toMatchObject({ type: 'usage.recorded', purpose: 'compaction', modelId: 'small' });
    expect(count(log, 'usage.recorded')).toBe(count(log, 'message.completed') + 1);

    // Read by the next turns, here and in a fork, in place of what it stands for.
    const forkAt = log.findLast((event) => event.type === 'turn.completed');
    const fork = await api.send<{ sessionId: string }>(`/api/v1/tenants/${tenant.tenantId}/sessions/${sessionId}/fork`, { method: 'POST', token: alice.accessToken, body: { turnId: forkAt?.turnId } });
    for (const id of [sessionId, fork.body.sessionId]) {
      await ask('What is 6*7?', id);
      expect(await latestMessages()).toContain('Summary of the conversation');
      expect(await latestMessages()).not.toContain(words('My order is 4711').trim());
    }

    // An attempt that comes after the one that wrote it finds it, and asks nobody.
    const asked = (await model.served()).requests;
    const input = await inputOf(sessionId, compacted);
    const activities = createSessionActivities(api.adapters);
    const again = await new MockActivityEnvironment({ attempt: 2 }).run<[CompactInput], CompactionResult, typeof activities.compact>((given) => activities.compact(given), input);
    expect([again.at, (await model.served()).requests]).toEqual([compacted.seq, asked]);
  });

  it.each([
    ['refuses it', { fail: { kind: 'too-long' as const } }, 0],
    ['has no room left to go on', { say: 'half an answer', stopReason: 'model_context_window_exceeded' }, 1],
  ])('has a step tried again, once, with a summary, when the model %s', async (what, overflow, wasted) => {
    const { sessionId } = (await ask(words('Long ago'))).body;
    await model.script({ match: `then it ${what}`, steps: [overflow, { say: 'Whole.' }] });
    expect((await ask(`then it ${what}`, sessionId)).body).toMatchObject({ outcome: 'completed', answer: 'Whole.' });
    const log = await logOf(sessionId);
    expect([summaryIn(log).length, count(log, 'step.reset'), count(log, 'usage.wasted')]).toEqual([1, 1, wasted]);
    expect(log.filter((event) => event.type === 'step.started' && event.turnId === summaryIn(log)[0]?.turnId)).toHaveLength(1);
    expect(await latestMessages()).toContain('Summary of the conversation');

    await ask(words('Much more'), sessionId);
    await model.script({ match: `always ${what}`, repeat: true, steps: [overflow] });
    expect((await ask(`always ${what}`, sessionId)).body.code).toBe('model/context-overflow');
    const after = await logOf(sessionId);
    expect([summaryIn(after).length, after.at(-1)?.type]).toEqual([2, 'turn.completed']);
  });
});

describe('an agent with settings for its model', () => {
  it('has another model answer when its own stays busy, and the log and the bill say which', async () => {
    const own = 'anthropic.claude-3-5-sonnet-20241022-v2:0';
    expect((await makeAgent('careful', { fallbackModels: ['us.anthropic.claude-3-5-sonnet-20240620-v1:0'] })).status).toBe(201);
    // Whoever waited for it would wait a minute.
    await model.script({ match: 'who answers', modelId: own, repeat: true, steps: [{ fail: { kind: 'throttling' } }, { fail: { kind: 'throttling', retryAfterSeconds: 60 } }] });
    const { body } = await ask('who answers', undefined, 'careful');
    expect(body.outcome).toBe('completed');
    const log = await logOf(body.sessionId);
    const modelId = 'us.anthropic.claude-3-5-sonnet-20240620-v1:0';
    expect(log.find(({ type }) => type === 'message.completed')).toMatchObject({ modelId });
    expect(log.find(({ type }) => type === 'usage.recorded')).toMatchObject({ modelId, costMicroUsd: expect.any(Number) as number });
    expect(Date.parse(log.at(-1)?.at ?? '') - Date.parse(log[0]?.at ?? '')).toBeLessThan(50_000);
  });

  it('has a guardrail, which stops one turn and not those after it', async () => {
    expect((await makeAgent('guarded', { guardrail: { id: 'gr1', version: '1' } })).status).toBe(201);
    const sessionId = 'guarded-session';
    const { status, body } = await ask('this is [guarded]', sessionId, 'guarded');
    expect([status, body.code]).toEqual([422, 'model/guardrail-intervened']);
    expect((await ask('What is 6*7?', sessionId)).body).toMatchObject({ outcome: 'completed', answer: '6*7 is 42.' });
  });

  it('has the beginning of its requests kept', async () => {
    expect((await makeAgent('thrifty', { promptCache: ['system', 'tools'] })).status).toBe(201);
    const { body: first } = await ask('Hello', undefined, 'thrifty');
    const { body: second } = await ask('Hello again', undefined, 'thrifty');
    expect(first.usage?.cacheWriteTokens).toBeGreaterThan(0);
    expect(second.usage?.cacheReadTokens).toBe(first.usage?.cacheWriteTokens);
  });

  it('reasons, which is told apart from the answer, and goes back to the model as it was', async () => {
    const settings = { reasoning: { budgetTokens: 1_024 }, maxOutputTokens: 2_048 };
    expect((await makeAgent('thoughtful', settings)).status).toBe(201);
    expect((await makeAgent('hasty', { ...settings, maxOutputTokens: 1_024 })).body.code).toBe('agent/invalid');
    await model.script({ match: 'think it over', steps: [{ think: 'Add them.', say: 'I count.', calls: [{ name: 'calculator', input: { expression: '1+1' } }] }, { say: 'Two.' }] });
    const path = `${api.url}/api/v1/tenant/${tenant.tenantId}/agent`;
    const received = await readUntil(readEvents(path, { method: 'POST', token: alice.accessToken, body: { prompt: 'think it over', session_id: 'thoughtful', agent: 'thoughtful' } }), isTurnEnd);
    const entries = received.map(({ entry }) => entry);
    const textOf = (type: Delta['type']) => entries.flatMap((entry) => (entry.type === type ? [entry.text] : [])).join('');
    expect([textOf('reasoning.delta'), textOf('text.delta')]).toEqual(['Add them.', 'I count.Two.']);
    expect(entries.at(-1)).toMatchObject({ outcome: 'completed' });
    const log = await logOf('thoughtful');
    const reasoning = { text: 'Add them.', signature: expect.any(String) as string };
    expect(log.find(({ type }) => type === 'reasoning.completed')).toMatchObject({ step: 1, blocks: [reasoning] });
    // The model server refuses a loop without its signed beginning; behind it, it needs none.
    const sent = async () => JSON.stringify((await model.latestOf(tenant.tenantId))?.request.messages);
    expect(await sent()).toContain('reasoningContent');
    expect((await ask('And now?', 'thoughtful')).body.outcome).toBe('completed');
    expect(await sent()).not.toContain('reasoningContent');
  });

  describe('that wants answers by a schema', () => {
    const responseSchema = { type: 'object', properties: { count: { type: 'integer', minimum: 0 } }, required: ['count'], additionalProperties: false };
    beforeAll(async () => {
      expect((await makeAgent('counting', { responseSchema })).status).toBe(201);
    });

    it('gets what the answer says, tools used before it or not', async () => {
      await model.script({ match: 'count them', steps: [{ say: 'Let me see.', calls: [{ name: 'calculator', input: { expression: '1+1' } }] }, { say: '```json\n{"count": 2}\n```' }] });
      const { body } = await ask('count them', undefined, 'counting');
      expect(body).toMatchObject({ outcome: 'completed', value: { count: 2 } });
      expect((await logOf(body.sessionId)).at(-1)).toMatchObject({ type: 'turn.completed', value: { count: 2 } });
      const last = await model.latestOf(tenant.tenantId);
      expect(last?.request.system?.[0]?.text).toContain(JSON.stringify(responseSchema));
    });

    it('asks once more when it does not fit, and then no more', async () => {
      await model.script({ match: 'miscount once', steps: [{ say: '{"count": -1}' }] });
      await model.script({ match: 'Answer again, with JSON', steps: [{ say: '{"count": 3}' }] });
      const { body } = await ask('miscount once', undefined, 'counting');
      expect(body).toMatchObject({ outcome: 'completed', value: { count: 3 } });
      expect((await logOf(body.sessionId)).find(({ type }) => type === 'answer.rejected')).toMatchObject({ problem: expect.stringContaining('count') as string });
      await model.script({ match: 'miscount always', repeat: true, steps: [{ say: 'Many.' }] });
      await model.script({ match: 'Answer again, with JSON', steps: [{ say: 'Very many.' }] });
      const { status, body: failed } = await ask('miscount always', 'miscount', 'counting');
      expect([status, failed.code]).toEqual([502, 'model/invalid-output']);
      const log = await logOf('miscount');
      expect([count(log, 'message.completed'), count(log, 'answer.rejected'), count(log, 'usage.recorded')]).toEqual([2, 1, 2]);
    });

    it.each([
      ['is none', { type: 'nothing' }],
      ['refers elsewhere', { $ref: 'https://example.com/schema.json' }],
      ['could take forever to check', { type: 'string', pattern: '^(a+)+$' }],
    ])('is not saved with a schema that %s', async (_what, schema) => {
      const { status, body } = await makeAgent('never-saved', { responseSchema: schema });
      expect([status, body.code]).toEqual([422, 'agent/invalid']);
    });
  });
});
