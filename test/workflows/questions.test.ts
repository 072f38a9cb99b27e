import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import type { SessionActivities } from '../../src/activities/session';
import { beginTurn, newSession, type OpenCall, receive, recordQuestion, recordThought } from '../../src/domain/session';
import { answerQuestion, cancelTurn, closeSession, holdSession, readSession, releaseSession } from '../../src/workflows/definitions';
import { converse, fail, gate, limits, refusal, Script, userId } from './session-script';

const hourMs = 3_600_000;
const call = (callId: string): OpenCall => ({ callId, tool: 'ask_user', requestedAt: 1, timeoutMs: 5_000, maxAttempts: 1 });
const question = (callId: string, expiresAtMs: number) => ({ questionId: `qst-${callId}`, askedAt: 1, expiresAtMs });

/** `turn-1` asks these in its first step; every other step is the last of its turn. */
function asking(callIds: readonly string[], overrides: Partial<SessionActivities> = {}, expiresAfterMs = 100 * 24 * hourMs): Script {
  const script: Script = new Script({
    think: ({ turnId, step }) => {
      const { head } = script.write(`think ${turnId}/${step}`);
      return Promise.resolve(turnId === 'turn-1' && step === 1 ? { head, calls: callIds.map(call), configVersion: 7, limits } : { head, outcome: 'completed', calls: [], limits });
    },
    useTool: ({ call: { callId } }) => Promise.resolve({ ...script.write(`ask ${callId}`), question: question(callId, Date.now() + expiresAfterMs) }),
    ...overrides,
  });
  return script;
}

const answer = (handle: WorkflowHandle, callId: string, { answerId = `ans-${callId}`, by = userId } = {}) =>
  handle.executeUpdate(answerQuestion, { updateId: answerId, args: [{ questionId: `qst-${callId}`, answerId, userId: by, turnId: 'turn-1', step: 1, callId }] });
const worked = (script: Script) => script.done.filter((line) => !line.startsWith('announce'));
const waiting = async (handle: WorkflowHandle, count: number) => {
  for (;;) {
    const view = await handle.query(readSession);
    if (view.state === 'waiting' && view.waitingQuestions === count) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

it('waits a month, longer than a turn may take, for as many answers as were asked for, in any order, of its own user', async () => {
  const script = asking(['a', 'b']);
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await waiting(handle, 2);
    await env.sleep('30 days');
    await answer(handle, 'b', { by: 'another' }).then(fail, refusal('question/not-found'));
    await answer(handle, 'b');
    // Sent again it is the same answer; another one comes too late.
    await answer(handle, 'b');
    await answer(handle, 'b', { answerId: 'another' }).then(fail, refusal('question/closed'));
    await waiting(handle, 1);
    await answer(handle, 'a');
    await env.sleep('1 minute');
    await close();
  });
  expect(worked(script)).toEqual(['think turn-1/1', expect.stringContaining('ask'), expect.stringContaining('ask'), 'settle qst-b ans-b', 'settle qst-a ans-a', 'think turn-1/2', 'close']);
});

it('takes an answer that comes before the call that asks is through', async () => {
  const putting = gate();
  const script: Script = asking(['a'], {
    useTool: async () => {
      // Whoever reads the log sees the question now.
      await putting.pass();
      return { ...script.write('ask a'), question: question('a', Date.now() + hourMs) };
    },
  });
  await converse(script, async ({ send, close, handle }) => {
    await send('turn-1');
    await putting.reached;
    const answered = answer(handle, 'a');
    putting.open();
    await answered;
    await close();
  });
  expect(worked(script)).toEqual(['think turn-1/1', 'ask a', 'settle qst-a ans-a', 'think turn-1/2', 'close']);
});

it('goes on without an answer when nobody gives one in time, but not while the tenant is suspended', async () => {
  const script = asking(['a'], {}, 2 * hourMs);
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await waiting(handle, 1);
    await handle.signal(holdSession, { at: 'turn' });
    await env.sleep('10 days');
    expect(await handle.query(readSession)).toMatchObject({ state: 'paused', waitingQuestions: 1 });
    await handle.signal(releaseSession);
    await env.sleep('1 hour');
    expect(await handle.query(readSession)).toMatchObject({ state: 'waiting' });
    await env.sleep('2 hours');
    await answer(handle, 'a').then(fail, refusal('question/closed'));
    await close();
  });
  expect(worked(script)).toEqual(['think turn-1/1', 'ask a', 'settle qst-a expired', 'think turn-1/2', 'close']);
});

it.each<[string, (handle: WorkflowHandle, send: (turnId: string, options: { onBusy: 'interrupt' }) => Promise<unknown>) => Promise<unknown>, string[]]>([
  ['an interruption', (_handle, send) => send('turn-2', { onBusy: 'interrupt' }), ['end turn-1 interrupted', 'think turn-2/1', 'close']],
  ['a cancellation', (handle) => handle.executeUpdate(cancelTurn, { args: [{}] }), ['end turn-1 cancelled', 'close']],
  ['the end of the session', (handle) => handle.signal(closeSession), ['end turn-1 cancelled session/closed', 'close']],
])('goes with its turn at %s', async (_name, stop, end) => {
  const script = asking(['a']);
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await waiting(handle, 1);
    await stop(handle, send);
    await env.sleep('1 minute');
    await close().catch(() => undefined);
  });
  expect(worked(script)).toEqual(['think turn-1/1', 'ask a', ...end]);
});

it('answers who has answered when an operator cancels the workflow meanwhile, and closes behind it', async () => {
  const failing = gate();
  const script: Script = asking(['a'], {
    settleQuestion: ({ questionId, answerId }) => {
      if (Context.current().info.attempt > 1) return Promise.resolve({ head: 100 });
      // In the log, but the answer gets lost.
      script.write(`settle ${questionId} ${answerId}`);
      void failing.pass();
      return Promise.reject(new Error('The database is away.'));
    },
  });
  await converse(script, async ({ send, handle }) => {
    await send('turn-1');
    await waiting(handle, 1);
    const answered = answer(handle, 'a');
    await failing.reached;
    await handle.cancel();
    expect(await answered).toBe(true);
    await handle.result();
  });
  expect(worked(script)).toEqual(['think turn-1/1', 'ask a', 'settle qst-a ans-a', 'end turn-1 cancelled', 'close']);
});

it('keeps to its questions, and to their end, where the session continued as new', async () => {
  const script = asking([]);
  const nowMs = Date.now();
  const asked = recordThought(beginTurn(receive(newSession, 'turn-1'), nowMs), { head: 6, calls: [call('a'), call('b')], configVersion: 7, limits });
  const carried = ['a', 'b'].reduce((state, callId) => recordQuestion(state, { turnId: 'turn-1', callId, head: 9, question: question(callId, nowMs + 24 * hourMs) }), asked);
  await converse(
    script,
    async ({ env, close, handle }) => {
      await answer(handle, 'a');
      await env.sleep('2 days');
      await close();
    },
    carried,
  );
  expect(worked(script)).toEqual(['settle qst-a ans-a', 'settle qst-b expired', 'think turn-1/2', 'close']);
});
