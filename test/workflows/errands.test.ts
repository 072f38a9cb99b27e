import type { WorkflowHandle } from '@temporalio/client';
import type { SessionActivities } from '../../src/activities/session';
import type { ThinkInput } from '../../src/activities/session/think';
import { workflowIds } from '../../src/contracts/names';
import type { Errand } from '../../src/contracts/session';
import type { OpenCall, Thought } from '../../src/domain/session';
import { cancelTurn, closeSession, holdSession, readSession, releaseSession, submitMessage } from '../../src/workflows/definitions';
import { cancelledWhileBeating, converse, fail, gate, limits, refusal, Script, tenantId, userId } from './session-script';

jest.setTimeout(60_000);

const childId = 'ses-child';
const call: OpenCall = { callId: 'a', tool: 'research', requestedAt: 1, timeoutMs: 5_000, maxAttempts: 1, finishes: true, childSessionId: childId };
const agent = { name: 'research', version: 3 };
const errand: Errand = { turnId: 'task', depth: 1, budget: { tokens: 900 }, timeoutMs: 3_600_000 };
const approval = { approvalId: 'apr-1', quorum: 1, barred: [], expiresAtMs: Number.MAX_SAFE_INTEGER, onExpiry: 'deny', votes: [] } as const;
const waits: OpenCall = { callId: 'b', tool: 'http_request', requestedAt: 1, timeoutMs: 5_000, maxAttempts: 1, approval };

/** `turn-1` calls another agent in its first step; that agent's own turn is `task`. */
function calling(overrides: Partial<SessionActivities> = {}): Script {
  const script: Script = new Script({
    think: (input) => Promise.resolve(thought(script, input)),
    useTool: ({ call: { callId } }) => Promise.resolve({ ...script.write(`open ${callId}`), opened: { agent, errand } }),
    endTurn: ({ turnId, end }) => Promise.resolve({ ...script.write(`end ${turnId} ${end.outcome}${end.code ? ` ${end.code}` : ''}`), unseen: [] }),
    closeSession: ({ sessionId }) => Promise.resolve(script.write(`close ${sessionId}`)),
    ...overrides,
  });
  return script;
}

function thought(script: Script, { turnId, step }: ThinkInput): Thought {
  const { head } = script.write(`think ${turnId}/${step}`);
  return turnId === 'turn-1' && step === 1 ? { head, calls: [call], configVersion: 7, limits } : { head, outcome: 'completed', calls: [], limits };
}

const childOf = ({ client }: WorkflowHandle) => client.getHandle(workflowIds.session(tenantId, childId));
const until = async (handle: WorkflowHandle, state: string) => {
  while (((await handle.query(readSession).catch(() => undefined))?.state ?? '') !== state) await new Promise((resolve) => setTimeout(resolve, 10));
};

/** What was done when it goes well. */
const toTheEnd = ['think turn-1/1', 'open a', 'think task/1', `close ${childId}`, 'settle a', 'think turn-1/2', 'close ses-1'];

it('has another agent work in a child of its own, for the same user and within its bounds; the call has its result when that has closed', async () => {
  const told: ThinkInput[] = [];
  const working = gate();
  const script: Script = calling({
    think: async (input) => {
      if (input.turnId === 'task') {
        told.push(input);
        await working.pass();
      }
      return thought(script, input);
    },
  });
  await converse(script, async ({ send, close, handle }) => {
    await send('turn-1');
    await working.reached;
    const child = childOf(handle);
    expect(await child.describe()).toMatchObject({ status: { name: 'RUNNING' }, parentExecution: { workflowId: workflowIds.session(tenantId, 'ses-1') } });
    expect((await child.describe()).typedSearchAttributes.getAll()).toMatchObject([{ value: tenantId }]);
    await child.executeUpdate(submitMessage, { args: [{ turnId: 'turn-9', userId, onBusy: 'steer' }] }).then(fail, refusal('session/of-agent'));
    working.open();
    await close();
    expect(await child.describe()).toMatchObject({ status: { name: 'COMPLETED' } });
  });
  expect(script.done).toEqual(toTheEnd);
  expect(told).toMatchObject([{ tenantId, sessionId: childId, userId, agent, errand, announced: false, after: 0 }]);
});

it.each<[string, (handle: WorkflowHandle, send: (turnId: string, options: { onBusy: 'interrupt' }) => Promise<unknown>) => Promise<unknown>, string[]]>([
  ['a cancellation', (handle) => handle.executeUpdate(cancelTurn, { args: [{}] }), ['end turn-1 cancelled', 'close ses-1']],
  ['an interruption', (_handle, send) => send('turn-2', { onBusy: 'interrupt' }), ['end turn-1 interrupted', 'think turn-2/1', 'close ses-1']],
])('%s stops the other agent, its model too, before the turn ends', async (_name, stop, end) => {
  const working = gate();
  const script: Script = calling({
    think: (input) => {
      if (input.turnId !== 'task') return Promise.resolve(thought(script, input));
      void working.pass();
      return cancelledWhileBeating();
    },
  });
  await converse(script, async ({ send, close, handle, env }) => {
    await send('turn-1');
    await working.reached;
    await stop(handle, send);
    await env.sleep('1 minute');
    await close();
  });
  expect(script.done.filter((line) => !line.startsWith('announce'))).toEqual(['think turn-1/1', 'open a', 'end task cancelled', `close ${childId}`, 'settle a', ...end]);
});

it('the end of its time stops the other agent; the call has its result all the same', async () => {
  const script: Script = calling({
    think: (input) => (input.turnId === 'task' ? cancelledWhileBeating() : Promise.resolve({ ...thought(script, input), limits: { ...limits, maxTurnMs: 2_000 } })),
  });
  await converse(script, async ({ send, close }) => {
    await send('turn-1');
    await close();
  });
  expect(script.done.slice(0, 5)).toEqual(['think turn-1/1', 'open a', 'end task cancelled', `close ${childId}`, 'settle a']);
});

it('the end of the turn stops another agent that waits for people', async () => {
  const script: Script = calling({
    think: (input) => Promise.resolve(input.turnId === 'task' ? { ...script.write('think task/1'), calls: [waits], configVersion: 1, limits } : thought(script, input)),
  });
  await converse(script, async ({ send, close, handle }) => {
    await send('turn-1');
    await until(childOf(handle), 'waiting');
    await handle.executeUpdate(cancelTurn, { args: [{}] });
    await close();
  });
  expect(script.done.slice(-3)).toEqual(['settle a', 'end turn-1 cancelled', 'close ses-1']);
});

it('ends the errand by itself when its own time is up', async () => {
  const script: Script = calling({
    useTool: ({ call: { callId } }) => Promise.resolve({ ...script.write(`open ${callId}`), opened: { agent, errand: { ...errand, timeoutMs: 2_000 } } }),
    think: (input) => (input.turnId === 'task' ? cancelledWhileBeating() : Promise.resolve(thought(script, input))),
  });
  await converse(script, async ({ send, close }) => {
    await send('turn-1');
    await close();
  });
  expect(script.done).toEqual(['think turn-1/1', 'open a', 'end task timed_out', `close ${childId}`, 'settle a', 'think turn-1/2', 'close ses-1']);
});

it('lets the other agent finish when the session is to close, unless that waits for people', async () => {
  const script: Script = calling({
    think: (input) => Promise.resolve(input.turnId === 'task' ? { ...script.write(`think ${input.turnId}/${input.step}`), calls: [waits], configVersion: 1, limits } : thought(script, input)),
  });
  await converse(script, async ({ send, handle }) => {
    await send('turn-1');
    await until(childOf(handle), 'waiting');
    await handle.signal(closeSession);
    await handle.result();
  });
  expect(script.done).toEqual(['think turn-1/1', 'open a', 'think task/1', 'end task cancelled session/closed', `close ${childId}`, 'settle a', 'think turn-1/2', 'close ses-1']);
});

it('rests with the other agent while the tenant is suspended, and no time passes for either', async () => {
  const working = gate();
  const script: Script = calling({
    think: async (input) => {
      if (input.turnId === 'task' && input.step === 1) {
        await working.pass();
        return { ...script.write('think task/1'), calls: [], limits };
      }
      return thought(script, input);
    },
  });
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await working.reached;
    const both = [handle, childOf(handle)];
    for (const one of both) await one.signal(holdSession, { at: 'step' });
    expect((await handle.query(readSession)).state).toBe('paused');
    working.open();
    await until(childOf(handle), 'paused');
    await env.sleep('10 days');
    expect((await handle.query(readSession)).state).toBe('paused');
    for (const one of both) await one.signal(releaseSession);
    await close();
  });
  expect(script.done).toEqual(['think turn-1/1', 'open a', 'think task/1', 'think task/2', ...toTheEnd.slice(3)]);
});

it('begins nothing for a turn that was stopped while the session was being opened', async () => {
  const opening = gate();
  const script: Script = calling({
    useTool: async ({ call: { callId } }) => {
      await opening.pass();
      return { ...script.write(`open ${callId}`), opened: { agent, errand } };
    },
  });
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await opening.reached;
    await handle.executeUpdate(cancelTurn, { args: [{}] });
    opening.open();
    await env.sleep('1 minute');
    await close();
  });
  expect(script.done).toEqual(['think turn-1/1', 'open a', 'settle a', 'end turn-1 cancelled', 'close ses-1']);
});
