import { ApplicationFailure } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import type { SessionActivities } from '../../src/activities/session';
import { newSession, requestUndo, type UndoCall } from '../../src/domain/session';
import { closeSession, holdSession, readSession, releaseSession, undoTurn } from '../../src/workflows/definitions';
import { answeringBehind, converse, fail, gate, refusal, Script, userId } from './session-script';

const call = (callId: string): UndoCall => ({ callId, step: 1, tool: 'shop__order', requestedAt: 1, doneAt: 2 });
const planning = (script: () => Script, ...calls: string[]): Partial<SessionActivities> => ({
  planUndo: ({ turnId }) => {
    script().write(`plan undo ${turnId}`);
    return Promise.resolve({ calls: calls.map(call) });
  },
});
const undo = (handle: WorkflowHandle, turnId: string, { undoId = `undo-${turnId}`, by = userId } = {}) =>
  handle.executeUpdate(undoTurn, { updateId: undoId, args: [{ undoId, turnId, userId: by, upTo: 4 }] });
const idle = async (handle: WorkflowHandle) => {
  while ((await handle.query(readSession)).state !== 'idle') await new Promise((resolve) => setTimeout(resolve, 10));
};

it('takes back what a turn did call by call, before the turns that wait, whoever else is spoken to meanwhile', async () => {
  const answering = gate();
  const script: Script = answeringBehind(answering);
  Object.assign(script, { overrides: { ...script['overrides'], ...planning(() => script, 'b', 'a') } });
  await converse(script, async ({ send, close, handle }) => {
    await send('turn-1');
    await answering.reached;
    await send('turn-2');
    await undo(handle, 'turn-0');
    // Sent again, it is the same request; another user's is none.
    await undo(handle, 'turn-0');
    await undo(handle, 'turn-0', { undoId: 'undo-other', by: 'another' }).then(fail, refusal('session/not-found'));
    expect(await handle.query(readSession)).toMatchObject({ state: 'running' });
    answering.open();
    await idle(handle);
    await close();
  });
  expect(script.done.filter((line) => !line.startsWith('announce'))).toEqual(['think turn-1/1', 'plan undo turn-0', 'undo turn-0/b', 'undo turn-0/a', 'end undo turn-0', 'think turn-2/1', 'close']);
});

it('says what could not be taken back, and goes on with what was done before it', async () => {
  const script: Script = new Script({
    ...planning(() => script, 'b', 'a'),
    undoTool: ({ call: { callId } }) => {
      const { head } = script.write(`undo ${callId}`);
      return callId === 'b' ? Promise.reject(ApplicationFailure.create({ type: 'tool/busy', message: 'not now' })) : Promise.resolve({ head });
    },
  });
  await converse(script, async ({ send, close, handle }) => {
    await send('turn-1');
    await undo(handle, 'turn-1');
    await idle(handle);
    await close();
  });
  expect(script.done).toEqual(['think turn-1/1', 'plan undo turn-1', ...Array<string>(6).fill('undo b'), 'fail undo turn-1/b tool/busy', 'undo a', 'end undo turn-1', 'close']);
});

it('says so when it cannot even be found what to take back', async () => {
  const script: Script = new Script({ planUndo: () => Promise.reject(ApplicationFailure.nonRetryable('gone', 'agent/not-found')) });
  await converse(script, async ({ send, close, handle }) => {
    await send('turn-1');
    await undo(handle, 'turn-1');
    await idle(handle);
    await close();
  });
  expect(script.done).toEqual(['think turn-1/1', 'end undo turn-1 agent/not-found', 'close']);
});

it('waits while the tenant is suspended, with the call at hand finished', async () => {
  const undoing = gate();
  const script: Script = new Script({
    ...planning(() => script, 'b', 'a'),
    undoTool: async ({ call: { callId } }) => {
      if (callId === 'b') await undoing.pass();
      return script.write(`undo ${callId}`);
    },
  });
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await undo(handle, 'turn-1');
    await undoing.reached;
    await handle.signal(holdSession, { at: 'step' });
    expect(await handle.query(readSession)).toMatchObject({ state: 'running' });
    undoing.open();
    while ((await handle.query(readSession)).state !== 'paused') await new Promise((resolve) => setTimeout(resolve, 10));
    await env.sleep('1 hour');
    expect(script.done.at(-1)).toBe('undo b');
    await handle.signal(releaseSession);
    await idle(handle);
    await close();
  });
  expect(script.done).toEqual(['think turn-1/1', 'plan undo turn-1', 'undo b', 'undo a', 'end undo turn-1', 'close']);
});

it('is finished before the session closes; of a session that closes while its tenant is suspended the log says that it was not done', async () => {
  for (const isHeld of [false, true]) {
    const planned = gate();
    const script: Script = new Script({
      planUndo: async () => {
        await planned.pass();
        return { calls: [call('a')] };
      },
    });
    await converse(script, async ({ send, handle }) => {
      await send('turn-1');
      await undo(handle, 'turn-1');
      await planned.reached;
      if (isHeld) await handle.signal(holdSession, { at: 'turn' });
      await handle.signal(closeSession);
      await undo(handle, 'turn-1', { undoId: 'undo-late' }).then(fail, refusal('session/closed'));
      planned.open();
      await handle.result();
    });
    expect(script.done).toEqual(['think turn-1/1', isHeld ? 'fail undo turn-1/a session/closed' : 'undo turn-1/a', 'end undo turn-1', 'close']);
  }
});

it('goes on in the next run of the session where the one before left off', async () => {
  const script: Script = new Script();
  const before = requestUndo({ ...newSession, head: 9, turnCount: 1 }, { undoId: 'undo-1', turnId: 'turn-1', upTo: 4 });
  const [first] = before.undos ?? [];
  const state = { ...before, undos: first ? [{ ...first, calls: [call('a')] }] : [] };
  await converse(script, async ({ close, handle }) => {
    await idle(handle);
    await close();
  }, state);
  expect(script.done).toEqual(['undo turn-1/a', 'end undo turn-1', 'close']);
});

it('of a session that was restored begins with what its log says', async () => {
  const script: Script = new Script({
    pickUpSession: () => {
      script.write('pick up');
      return Promise.resolve({ head: 12, turnCount: 3, turnStarts: [0, 4, 8], seen: [['turn-1', 4]], isClosed: false });
    },
  });
  await converse(script, async ({ close, handle }) => {
    await undo(handle, 'turn-1');
    await idle(handle);
    expect(await handle.query(readSession)).toMatchObject({ turnCount: 3 });
    await close();
  });
  expect(script.done).toEqual(['pick up', 'plan undo turn-1', 'end undo turn-1', 'close']);
});
