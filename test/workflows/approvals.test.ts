import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { SessionActivities } from '../../src/activities/session';
import { beginTurn, type Decision, newSession, type OpenCall, type PendingApproval, receive, recordThought } from '../../src/domain/session';
import { cancelTurn, closeSession, decideApproval, holdSession, readSession, releaseSession } from '../../src/workflows/definitions';
import { cancelledWhileBeating, converse, fail, gate, limits, refusal, Script } from './session-script';

const hourMs = 3_600_000;
const pending = (approvalId: string, changes: Partial<PendingApproval> = {}): PendingApproval => ({
  approvalId,
  quorum: 1,
  barred: [],
  expiresAtMs: Date.now() + 100 * 24 * hourMs,
  onExpiry: 'deny',
  votes: [],
  ...changes,
});
const call = (callId: string, approval?: PendingApproval): OpenCall => ({ callId, tool: 'http_request', requestedAt: 1, timeoutMs: 5_000, maxAttempts: 1, ...(approval && { approval }) });

/** `turn-1` asks for these tools in its first step; every other step is the last of its turn. */
function asking(calls: (nowMs: number) => OpenCall[], overrides: Partial<SessionActivities> = {}): Script {
  const script: Script = new Script({
    think: ({ turnId, step }) => {
      const { head } = script.write(`think ${turnId}/${step}`);
      return Promise.resolve(turnId === 'turn-1' && step === 1 ? { head, calls: calls(Date.now()), configVersion: 7, limits } : { head, outcome: 'completed', calls: [], limits });
    },
    ...overrides,
  });
  return script;
}

const decide = (handle: WorkflowHandle, approvalId: string, by: string, decision: Decision['decision'] = 'approve') => {
  const decisionId = `${approvalId}-${by}-${decision}`;
  return handle.executeUpdate(decideApproval, { args: [{ approvalId, decisionId, by, decision }] });
};
const worked = (script: Script) => script.done.filter((line) => !line.startsWith('announce'));

it('runs what needs nobody, waits a month for the rest, longer than a turn may take, and takes answers in any order', async () => {
  const script = asking(() => [call('free'), call('a', pending('apr-a')), call('b', pending('apr-b', { quorum: 2 }))]);
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await env.sleep('30 days');
    expect(await handle.query(readSession)).toMatchObject({ state: 'waiting', waitingApprovals: 2 });
    await decide(handle, 'apr-b', 'ann');
    await decide(handle, 'apr-b', 'ann');
    await handle.executeUpdate(decideApproval, { args: [{ approvalId: 'apr-b', decisionId: 'another', by: 'ann', decision: 'approve' }] }).then(fail, refusal('approval/already-voted'));
    await decide(handle, 'apr-b', 'bob');
    await env.sleep('1 minute');
    expect(script.done).toContain('tool turn-1/1/b');
    await decide(handle, 'apr-a', 'bob');
    await decide(handle, 'apr-a', 'bob');
    await decide(handle, 'apr-a', 'ann', 'deny').then(fail, refusal('approval/closed'));
    await env.sleep('1 minute');
    await close();
  });
  expect(worked(script)).toEqual([
    'think turn-1/1',
    'tool turn-1/1/free',
    'decide apr-b vote ann',
    'decide apr-b approved ann bob',
    'tool turn-1/1/b',
    'decide apr-a approved bob',
    'tool turn-1/1/a',
    'think turn-1/2',
    'close',
  ]);
});

it('takes a decision that comes before the step that asks for it is through, and refuses one of another step at once', async () => {
  const thinking = gate();
  const script: Script = new Script({
    think: async ({ turnId, step }) => {
      const { head } = script.write(`think ${turnId}/${step}`);
      if (step > 1) return { head, outcome: 'completed', calls: [], limits };
      // Whoever reads the log or the list sees the approval now.
      await thinking.pass();
      return { head, calls: [call('a', pending('apr-a'))], configVersion: 7, limits };
    },
  });
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await thinking.reached;
    const args = { approvalId: 'apr-a', decisionId: 'early', by: 'ann', decision: 'approve' as const, turnId: 'turn-1' };
    await handle.executeUpdate(decideApproval, { args: [{ ...args, step: 2 }] }).then(fail, refusal('approval/closed'));
    const decided = await handle.startUpdate(decideApproval, { args: [{ ...args, step: 1 }], waitForStage: 'ACCEPTED' });
    thinking.open();
    await decided.result();
    await env.sleep('1 minute');
    await close();
  });
  expect(worked(script)).toEqual(['think turn-1/1', 'decide apr-a approved ann', 'tool turn-1/1/a', 'think turn-1/2', 'close']);
});

it('runs an approved call while another one still works', async () => {
  const slow = gate();
  const script: Script = asking(() => [call('slow'), call('a', pending('apr-a'))], {
    useTool: async ({ call: { callId } }) => {
      if (callId === 'slow') await slow.pass();
      if (callId === 'a') slow.open();
      return script.write(`tool ${callId}`);
    },
  });
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await slow.reached;
    await decide(handle, 'apr-a', 'ann');
    await env.sleep('1 minute');
    await close();
  });
  expect(worked(script)).toEqual(['think turn-1/1', 'decide apr-a approved ann', 'tool a', 'tool slow', 'think turn-1/2', 'close']);
});

it.each([
  ['deny', ['decide apr-a denied expired']],
  ['approve', ['decide apr-a approved expired', 'tool turn-1/1/a']],
] as const)('decides itself when nobody does in time: %s', async (onExpiry, expected) => {
  const script = asking((nowMs) => [call('a', pending('apr-a', { expiresAtMs: nowMs + hourMs, onExpiry }))]);
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await env.sleep('59 minutes');
    expect(script.done).toEqual(['think turn-1/1']);
    await env.sleep('2 minutes');
    await decide(handle, 'apr-a', 'ann').then(fail, refusal('approval/closed'));
    await close();
  });
  expect(worked(script)).toEqual(['think turn-1/1', ...expected, 'think turn-1/2', 'close']);
});

it('asks anew for edited arguments: not of who edited them, when the policy wants another', async () => {
  const script: Script = asking(() => [call('a', pending('apr-a', { barred: ['user-1'] }))], {
    decideApproval: ({ approvalId, verdict = 'vote', by }) =>
      Promise.resolve({ ...script.write(`decide ${approvalId} ${verdict} ${by.join(' ')}`), ...(verdict === 'edited' && { next: { inputAt: 42, approval: pending('apr-2', { barred: ['user-1', 'ann'] }) } }) }),
    useTool: ({ call: { callId, inputAt } }) => Promise.resolve(script.write(`tool ${callId} with ${inputAt ?? 'its own'}`)),
  });
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await env.sleep('1 hour');
    await decide(handle, 'apr-a', 'user-1').then(fail, refusal('approval/own-request'));
    await decide(handle, 'apr-a', 'ann', 'edit');
    await decide(handle, 'apr-a', 'bob').then(fail, refusal('approval/closed'));
    await decide(handle, 'apr-2', 'ann').then(fail, refusal('approval/own-request'));
    await decide(handle, 'apr-2', 'bob');
    await env.sleep('1 minute');
    await close();
  });
  expect(worked(script)).toEqual(['think turn-1/1', 'decide apr-a edited ann', 'decide apr-2 approved bob', 'tool a with 42', 'think turn-1/2', 'close']);
});

it('is interrupted while it waits; who decides later is told that it is over', async () => {
  const script = asking(() => [call('a', pending('apr-a'))]);
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await env.sleep('1 hour');
    await send('turn-2', { onBusy: 'interrupt' });
    await env.sleep('1 minute');
    await decide(handle, 'apr-a', 'ann').then(fail, refusal('approval/closed'));
    await close();
  });
  expect(worked(script)).toEqual(['think turn-1/1', 'end turn-1 interrupted', 'think turn-2/1', 'close']);
});

it('lets the end of the turn win over a decision that is on its way', async () => {
  const deciding = gate();
  const script: Script = asking(() => [call('a', pending('apr-a'))], {
    decideApproval: async ({ approvalId }) => {
      await deciding.pass();
      return script.write(`decide ${approvalId}`);
    },
  });
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await env.sleep('1 hour');
    const decided = decide(handle, 'apr-a', 'ann');
    await deciding.reached;
    await handle.executeUpdate(cancelTurn, { args: [{}] });
    deciding.open();
    await decided;
    await env.sleep('1 minute');
    await close();
  });
  expect(worked(script).filter((line) => line.startsWith('tool'))).toEqual([]);
  expect(script.done).toContain('end turn-1 cancelled');
});

it('closes at once while it waits for people', async () => {
  const script = asking(() => [call('a', pending('apr-a'))]);
  await converse(script, async ({ env, send, handle }) => {
    await send('turn-1');
    await env.sleep('1 hour');
    await handle.signal(closeSession);
    await handle.result();
  });
  expect(worked(script)).toEqual(['think turn-1/1', 'end turn-1 cancelled session/closed', 'close']);
});

it.each([
  ['in the run that asked', undefined],
  ['in a run that took it over', { ...newSession, head: 2, turnStarts: [0], current: { turnId: 'turn-1', announced: true, step: 1, calls: [call('a', pending('apr-a'))], startedAtMs: Date.now() } }],
])('closes in good order when an operator cancels the workflow while it waits for people, %s', async (_, state) => {
  const script = asking(() => [call('a', pending('apr-a'))]);
  await converse(
    script,
    async ({ env, send, handle }) => {
      if (!state) await send('turn-1');
      await env.sleep('1 hour');
      await handle.cancel();
      await handle.result();
    },
    state,
  );
  expect(worked(script)).toEqual([...(state ? [] : ['think turn-1/1']), 'end turn-1 cancelled', 'close']);
});

describe('answers a decision that is on its way when an operator cancels the workflow, and closes behind it', () => {
  const headOf = (script: Script) => script.done.length * 2;
  it.each<[string, string[], (decided: Promise<unknown>) => Promise<unknown>, (script: Script) => Promise<{ head: number }>]>([
    ['as taken, when it was written and only the answer got lost', ['decide apr-a'], (decided) => expect(decided).resolves.toBe(true), (script) => Promise.resolve({ head: headOf(script) })],
    ['as over, when the end of the turn came first', [], (decided) => decided.then(fail, refusal('approval/closed')), () => Promise.reject(ApplicationFailure.nonRetryable('The turn has ended.', 'turn/ended'))],
  ])('%s', async (_, written, answered, again) => {
    const failing = gate();
    const script: Script = asking(() => [call('a', pending('apr-a'))], {
      decideApproval: async () => {
        if (Context.current().info.attempt > 1) return again(script);
        for (const line of written) script.write(line);
        void failing.pass();
        throw new Error('The database is away.');
      },
    });
    await converse(script, async ({ env, send, handle }) => {
      await send('turn-1');
      await env.sleep('1 hour');
      const decided = answered(decide(handle, 'apr-a', 'ann'));
      await failing.reached;
      await handle.cancel();
      await decided;
      await handle.result();
    });
    expect(worked(script)).toEqual(['think turn-1/1', ...written, 'end turn-1 cancelled', 'close']);
  });

  it('as over, when the step that asks is stopped', async () => {
    const thinking = gate();
    const script = new Script({
      think: () => {
        void thinking.pass();
        return cancelledWhileBeating();
      },
    });
    await converse(script, async ({ send, handle }) => {
      await send('turn-1');
      await thinking.reached;
      const args = { approvalId: 'apr-a', decisionId: 'early', by: 'ann', decision: 'approve' as const, turnId: 'turn-1', step: 1 };
      const decided = await handle.startUpdate(decideApproval, { args: [args], waitForStage: 'ACCEPTED' });
      await handle.cancel();
      await decided.result().then(fail, refusal('approval/closed'));
      await handle.result();
    });
    expect(worked(script)).toEqual(['end turn-1 cancelled', 'close']);
  });
});

it.each(['turn', 'step'] as const)('rests at once when the tenant is suspended (%s), and nothing expires meanwhile', async (at) => {
  const script = asking((nowMs) => [call('a', pending('apr-a', { expiresAtMs: nowMs + 2 * hourMs }))]);
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await env.sleep('1 hour');
    await handle.signal(holdSession, { at });
    expect(await handle.query(readSession)).toMatchObject({ state: 'paused', waitingApprovals: 1 });
    await env.sleep('10 days');
    await handle.signal(releaseSession);
    await env.sleep('50 minutes');
    expect(await handle.query(readSession)).toMatchObject({ state: 'waiting' });
    await env.sleep('20 minutes');
    await close();
  });
  expect(worked(script)).toEqual(['think turn-1/1', 'decide apr-a denied expired', 'think turn-1/2', 'close']);
});

it('tells of what waits without waiting for that, and goes on with it where the session continued as new', async () => {
  const telling = gate();
  const script: Script = asking(() => [], {
    notifyApproval: async ({ approvalId, after }) => {
      await telling.pass();
      return script.write(`notify ${approvalId} after ${after}`);
    },
  });
  const nowMs = Date.now();
  const calls = [call('a', pending('apr-a', { notify: true })), call('b', pending('apr-b', { expiresAtMs: nowMs + 24 * hourMs }))];
  const carried = recordThought(beginTurn(receive(newSession, 'turn-1'), nowMs), { head: 6, calls, configVersion: 7, limits });
  await converse(
    script,
    async ({ env, send, close, handle }) => {
      await telling.reached;
      await decide(handle, 'apr-a', 'ann');
      expect(await handle.query(readSession)).toMatchObject({ waitingApprovals: 1 });
      telling.open();
      await env.sleep('2 days');
      await send('turn-1');
      await send('turn-2');
      await env.sleep('1 minute');
      await close();
    },
    carried,
  );
  expect(worked(script)).toEqual(expect.arrayContaining(['decide apr-a approved ann', 'tool turn-1/1/a', 'notify apr-a after 0', 'decide apr-b denied expired', 'think turn-1/2', 'think turn-2/1']));
});
