import { setTimeout as delay } from 'node:timers/promises';
import { groups } from '../../src/contracts/names';
import type { SessionRecord } from '../../src/contracts/session';
import type { ServedTenant } from '../../src/contracts/tenant';
import { type Account, newTenant, signUp } from './accounts';
import { calling, callingAgents, type CallingAgents, model, ofType, taskFor } from './calling-agents';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

jest.setTimeout(60_000);

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let alice: Account;
let bob: Account;
let ann: Account;
let at: CallingAgents;

beforeAll(async () => {
  [api, tenant] = await Promise.all([startApi(), newTenant()]);
  [alice, bob, ann] = await Promise.all([signUp(tenant, [groups.members]), signUp(tenant, [groups.members]), signUp(tenant, [groups.administrators])]);
  at = callingAgents(api, tenant, alice, ann);
  stopWorkers = await startWorkers(api.adapters, [tenant.tenantId]);
}, 120_000);
afterAll(async () => {
  await stopWorkers();
  await api.stop();
});

const tenantPath = () => at.path;

describe('an agent that is called by another', () => {
  it('works in a session of its own; its answer is the result, and both can be read', async () => {
    const research = await at.makeAgent();
    const session = await at.openSession(await at.makeAgent({ agents: [calling(`${research}@1`, { tool: 'research' })] }));
    const task = taskFor();
    await model.script({ match: task, steps: [{ calls: [{ name: 'calculator', input: { expression: '6*7' } }] }, { say: 'It is forty-two.' }] });
    const turnId = await at.sayFor(session, [{ name: 'research', task }]);
    const log = await at.logUntilEnd(session);
    const [requested, started, completed] = [ofType(log, 'tool.requested'), ofType(log, 'tool.started'), ofType(log, 'tool.completed')];
    expect(completed).toMatchObject([{ tool: 'research', output: { answer: 'It is forty-two.' } }]);
    const childSessionId = requested[0]?.childSessionId ?? '';
    expect([started[0]?.childSessionId, completed[0]?.childSessionId]).toEqual([childSessionId, childSessionId]);
    expect(log.at(-1)).toMatchObject({ type: 'turn.completed', outcome: 'completed' });

    const child = `${tenantPath()}/sessions/${childSessionId}`;
    const record = await at.show(child);
    const parent = { sessionId: session.split('/').at(-1), turnId, step: 1, callId: requested[0]?.callId, depth: 1 };
    expect(record).toMatchObject({ userId: alice.userId, agent: { name: research, version: 1 }, parent, status: { state: 'closed' } });
    const childLog = await at.logUntilEnd(child);
    expect(ofType(childLog, 'turn.started')).toMatchObject([{ text: task }]);
    expect(ofType(childLog, 'usage.recorded').map(({ agent }) => agent)).toEqual([research, research]);
    expect((await api.send(child, { token: bob.accessToken })).body).toMatchObject({ status: 404, code: 'session/not-found' });
  });

  it('is in no list unless that asks for it, and takes no messages: not while it works, not behind its end', async () => {
    const research = await at.makeAgent();
    const session = await at.openSession(await at.makeAgent({ agents: [calling(research)] }));
    const task = taskFor();
    await model.script({ match: task, steps: [{ say: 'one two three', holdAfter: 1 }] });
    await at.sayFor(session, [{ name: research, task }]);
    const child = await at.childOf(session);
    const childId = child.split('/').at(-1);
    expect((await at.say(child, 'hello')).body).toMatchObject({ status: 409, code: 'session/of-agent' });
    const schedule = { name: 'into-a-child', prompt: 'hello', sessionId: childId, times: { cron: '0 0 1 1 *' } };
    expect((await api.send(`${tenantPath()}/schedules`, { method: 'POST', token: alice.accessToken, body: schedule })).body).toMatchObject({ status: 409, code: 'session/of-agent' });
    const listed = async (query: string) => (await api.send<{ data: SessionRecord[] }>(`${tenantPath()}/sessions?limit=100${query}`, { token: alice.accessToken })).body.data.map(({ sessionId }) => sessionId);
    expect(await listed('')).not.toContain(childId);
    expect(await listed('')).toContain(session.split('/').at(-1));
    expect(await listed('&children=true')).toContain(childId);
    while ((await model.release(task)) === 0) await delay(20);
    await at.logUntilEnd(session);
    expect((await at.say(child, 'hello')).body).toMatchObject({ status: 409, code: 'session/of-agent' });
  });

  it('is stopped with the turn: its model stream ends, its log has its end, and the call its one result', async () => {
    const research = await at.makeAgent();
    const session = await at.openSession(await at.makeAgent({ agents: [calling(research)] }));
    const task = taskFor();
    await model.script({ match: task, steps: [{ say: 'one two three', holdAfter: 2 }] });
    const turnId = await at.sayFor(session, [{ name: research, task }]);
    const child = await at.childOf(session);
    while ((await model.holding(task)) === 0) await delay(20);
    await api.send(`${session}/cancel`, { method: 'POST', token: alice.accessToken, body: { turnId } });
    const log = await at.logUntilEnd(session);
    expect(await model.holding(task)).toBe(0);
    expect(log.slice(-2)).toMatchObject([{ type: 'tool.failed', code: 'agent/unanswered', message: 'The agent gave no answer (cancelled).' }, { type: 'turn.completed', outcome: 'cancelled' }]);
    expect(ofType(log, 'tool.completed')).toEqual([]);
    expect((await at.logUntilEnd(child)).at(-1)).toMatchObject({ type: 'turn.completed', outcome: 'cancelled' });
    expect((await at.show(child)).status.state).toBe('closed');
  });

  it('ends in order, in its own log, when the workflow that called it is terminated', async () => {
    const research = await at.makeAgent();
    const session = await at.openSession(await at.makeAgent({ agents: [calling(research)] }));
    const task = taskFor();
    await model.script({ match: task, steps: [{ say: 'one two three', holdAfter: 2 }] });
    await at.sayFor(session, [{ name: research, task }]);
    const child = await at.childOf(session);
    while ((await model.holding(task)) === 0) await delay(20);
    await api.adapters.sessionWorkflows.terminate({ tenantId: tenant.tenantId, sessionId: session.split('/').at(-1) ?? '' });
    expect((await at.logUntilEnd(child)).at(-1)).toMatchObject({ type: 'turn.completed', outcome: 'cancelled' });
    while ((await at.show(child)).status.state !== 'closed') await delay(20);
  });

  it('has a budget of its own for each call, counted for itself; out of it, it ends and the caller is told', async () => {
    const research = await at.makeAgent();
    const session = await at.openSession(await at.makeAgent({ agents: [calling(research, { budget: { modelCalls: 1 } })] }));
    const task = taskFor();
    await model.script({ match: task, steps: [{ calls: [{ name: 'calculator', input: { expression: '6*7' } }] }, { say: 'never said' }] });
    await at.sayFor(session, [{ name: research, task }]);
    const log = await at.logUntilEnd(session);
    expect(ofType(log, 'tool.failed')).toMatchObject([{ code: 'agent/unanswered', message: expect.stringContaining('(budget_exhausted)') as string }]);
    expect(log.at(-1)).toMatchObject({ outcome: 'completed' });
    const child = `${tenantPath()}/sessions/${ofType(log, 'tool.requested')[0]?.childSessionId ?? ''}`;
    expect((await at.logUntilEnd(child)).at(-1)).toMatchObject({ outcome: 'budget_exhausted' });
  });

  it('asks nobody but approvers: a question fails, an approval is listed with the tenant’s and waits', async () => {
    const research = await at.makeAgent({ approvals: { rules: [{ tool: 'calculator', decision: 'ask' }] } });
    const session = await at.openSession(await at.makeAgent({ agents: [calling(research)] }));
    const task = taskFor();
    const steps = [{ calls: [{ name: 'ask_user', input: { question: 'Which?' } }] }, { calls: [{ name: 'calculator', input: { expression: '6*7' } }] }, { say: 'approved' }];
    await model.script({ match: task, steps });
    await at.sayFor(session, [{ name: research, task }]);
    const child = await at.childOf(session);
    const waiting = async () => (await api.send<{ data: { approvalId: string; sessionId: string }[] }>(`${tenantPath()}/approvals`, { token: ann.accessToken })).body.data.find(({ sessionId }) => child.endsWith(sessionId));
    while (!(await waiting())) await delay(20);
    expect((await api.send(`${child}/approvals/${(await waiting())?.approvalId ?? ''}`, { method: 'POST', token: ann.accessToken, body: { decision: 'approve' } })).status).toBe(200);
    expect(ofType(await at.logUntilEnd(session), 'tool.completed')).toMatchObject([{ output: { answer: 'approved' } }]);
    expect(ofType(await at.logUntilEnd(child), 'tool.failed')).toMatchObject([{ code: 'question/nobody-there' }]);
  });

  it('is called as any tool is: only when the policy allows it, a write unless it is said to be less', async () => {
    const research = await at.makeAgent();
    const approvals = { otherwise: { write: 'deny' } };
    const session = await at.openSession(await at.makeAgent({ agents: [calling(research), calling(research, { tool: 'look_up', effect: 'read' })], approvals }));
    const task = taskFor();
    await model.script({ match: task, steps: [{ say: 'looked up' }] });
    await at.sayFor(session, [{ name: research, task: taskFor() }, { name: 'look_up', task }]);
    const log = await at.logUntilEnd(session);
    expect(ofType(log, 'tool.failed')).toMatchObject([{ tool: research, code: 'tool/denied' }]);
    expect(ofType(log, 'tool.completed')).toMatchObject([{ tool: 'look_up', output: { answer: 'looked up' } }]);
  });

  it('calls others in turn, three deep and no deeper', async () => {
    let agent = await at.makeAgent();
    for (let above = 0; above < 4; above += 1) agent = await at.makeAgent({ agents: [calling(agent, { tool: 'next' })] });
    const session = await at.openSession(agent);
    const tasks = [taskFor(), taskFor(), taskFor(), taskFor()];
    for (const [place, task] of tasks.entries()) await model.script({ match: task, steps: [{ calls: [{ name: 'next', input: { task: tasks[place + 1] ?? '' } }] }, { say: `back from ${place}` }] });
    await at.sayFor(session, [{ name: 'next', task: tasks[0] ?? '' }]);
    const answers: unknown[] = [];
    for (let path: string | undefined = session; path !== undefined; ) {
      const log = await at.logUntilEnd(path);
      answers.push(...ofType(log, 'tool.completed').map(({ output }) => output), ...ofType(log, 'tool.failed').map(({ code }) => code));
      const [child] = ofType(log, 'tool.requested').map(({ childSessionId }) => childSessionId);
      path = child && `${tenantPath()}/sessions/${child}`;
    }
    expect(answers).toEqual([{ answer: 'back from 0' }, { answer: 'back from 1' }, { answer: 'back from 2' }, 'tool/unknown']);
  });
});

describe('settings', () => {
  it.each<[string, (research: string) => object[], string]>([
    ['an agent that is not there', () => [calling('nobody')], 'nobody: There is no such agent'],
    ['a version that is not there', (research) => [calling(`${research}@9`)], 'has no version 9'],
    ['an alias that is not there', (research) => [calling(`${research}@canary`)], 'has no alias canary'],
    ['the name of a tool that is there', (research) => [calling(research, { tool: 'calculator' })], 'the name calculator is taken'],
    ['a name twice', (research) => [calling(research), calling(`${research}@1`)], 'is taken by another tool'],
  ])('are refused with %s', async (_name, agents, detail) => {
    const research = await at.makeAgent();
    const made = await at.asAdmin('/agents', 'POST', { name: at.newName(), settings: { tools: ['calculator'], agents: agents(research) } });
    expect(made.body).toMatchObject({ status: 422, code: 'agent/invalid', detail: expect.stringContaining(detail) as string });
    expect((await at.asAdmin('/config', 'PUT', { tools: ['calculator'], agents: agents(research) })).body).toMatchObject({ status: 422, code: 'agent/invalid' });
  });

  it('are refused with an archived agent, with the agent itself, and with a way back to it', async () => {
    const archived = await at.makeAgent();
    await at.asAdmin(`/agents/${archived}`, 'DELETE', {});
    const name = at.newName();
    expect((await at.asAdmin('/agents', 'POST', { name, settings: { agents: [calling(archived)] } })).body).toMatchObject({ code: 'agent/invalid', detail: expect.stringContaining('was archived') as string });
    expect((await at.asAdmin('/agents', 'POST', { name, settings: { agents: [calling(name)] } })).body).toMatchObject({ code: 'agent/invalid', detail: expect.stringContaining(`${name} → ${name}`) as string });
    const first = await at.makeAgent();
    const second = await at.makeAgent({ agents: [calling(first)] });
    const back = await at.asAdmin(`/agents/${first}/versions`, 'POST', { settings: { agents: [calling(second)] } });
    expect(back.body).toMatchObject({ status: 422, code: 'agent/invalid', detail: expect.stringContaining(`${first} → ${second} → ${first}`) as string });
  });
});
