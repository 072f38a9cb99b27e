import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import { cancelTurn, closeSession, holdSession, readSession, releaseSession } from '../../src/workflows/definitions';
import { answeringBehind, cancelledWhileBeating, converse, gate, limits, Script } from './session-script';

const call = (callId: string, changes: { finishes?: true; timeoutMs?: number } = {}) => ({ callId, tool: 'calculator', requestedAt: 1, timeoutMs: 60_000, maxAttempts: 1, ...changes });
const turnsOf = (script: Script) => script.done.filter((line) => !line.startsWith('announce'));

/** `turn-1` thinks until it is stopped; every other turn answers at once. */
function stoppable() {
  const thinking = gate();
  const script: Script = new Script({
    think: async ({ turnId, step, steering = [] }) => {
      if (turnId !== 'turn-1') return { ...script.write(`think ${turnId}/${step} ${steering.join(' ')}`.trim()), outcome: 'completed', calls: [], limits };
      void thinking.pass();
      return cancelledWhileBeating().finally(() => script.write('stopped'));
    },
  });
  return { script, thinking };
}

it('stops the running step for a message that interrupts, and runs that next, ahead of what waits', async () => {
  const { script, thinking } = stoppable();
  await converse(script, async ({ env, send, close }) => {
    await send('turn-1');
    await thinking.reached;
    await send('turn-2');
    const first = await send('turn-3', { onBusy: 'interrupt' });
    expect(await send('turn-3', { onBusy: 'interrupt' })).toEqual(first);
    await env.sleep('1 minute');
    await close();
  });
  expect(turnsOf(script)).toEqual(['stopped', 'end turn-1 interrupted', 'think turn-3/1', 'think turn-2/1', 'close']);
});

it('ends the turn once when an interruption races with the answer, whichever comes first', async () => {
  const answering = gate();
  const script = answeringBehind(answering);
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await answering.reached;
    await send('turn-2', { onBusy: 'interrupt' });
    // The cancellation is on its way, and the answer is written all the same.
    answering.open();
    await env.sleep('1 minute');
    await close();
    expect(await handle.query(readSession)).toMatchObject({ turnCount: 2 });
  });
  expect(turnsOf(script)).toEqual(['think turn-1/1', 'think turn-2/1', 'close']);
});

it('waits for a tool that is left to finish, cancels the others, and gives the turn one end', async () => {
  const using = gate();
  const writing = gate();
  const script: Script = new Script({
    think: ({ turnId, step }) =>
      Promise.resolve({ ...script.write(`think ${turnId}/${step}`), ...(turnId === 'turn-1' ? { calls: [call('read'), call('write', { finishes: true })] } : { outcome: 'completed' as const, calls: [] }), limits }),
    useTool: async ({ call: { callId } }) => {
      if (callId === 'read') {
        void using.pass();
        return cancelledWhileBeating().finally(() => script.write('read stopped'));
      }
      const beating = setInterval(() => Context.current().heartbeat(), 100);
      await writing.pass().finally(() => clearInterval(beating));
      return script.write(Context.current().cancellationSignal.aborted ? 'write aborted' : 'write finished');
    },
  });
  const readStopped = async () => {
    while (!script.done.includes('read stopped')) await new Promise((resolve) => setImmediate(resolve));
  };
  await converse(script, async ({ env, send, close }) => {
    await send('turn-1');
    await Promise.all([using.reached, writing.reached]);
    await send('turn-2', { onBusy: 'interrupt' });
    await readStopped();
    writing.open();
    await env.sleep('1 minute');
    await close();
  });
  expect(turnsOf(script)).toEqual(['think turn-1/1', 'read stopped', 'write finished', 'end turn-1 interrupted', 'think turn-2/1', 'close']);
});

it('shows a steering message to the next step, and makes it a turn of its own when there is none', async () => {
  const [first, second] = [gate(), gate()];
  const script: Script = new Script({
    think: async ({ turnId, step, steering = [] }) => {
      if (turnId === 'turn-1') await (step === 1 ? first : second).pass();
      const { head } = script.write(['think', `${turnId}/${step}`, ...steering].join(' '));
      return turnId === 'turn-1' && step === 1 ? { head, calls: [call('a')], limits } : { head, outcome: 'completed', calls: [], limits };
    },
  });
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await first.reached;
    await send('waiting');
    await send('seen', { onBusy: 'steer' });
    first.open();
    await second.reached;
    await send('too-late', { onBusy: 'steer' });
    await send('seen', { onBusy: 'steer' });
    second.open();
    await env.sleep('1 minute');
    await close();
    expect(await handle.query(readSession)).toMatchObject({ turnCount: 3, queuedTurns: 0 });
  });
  expect(turnsOf(script)).toEqual(['think turn-1/1', 'tool turn-1/1/a', 'think turn-1/2 seen', 'think too-late/1', 'think waiting/1', 'close']);
});

it('loses no steering message whose step was stopped before it was written', async () => {
  const second = gate();
  const script: Script = new Script({
    think: async ({ turnId, step, steering = [] }) => {
      if (turnId === 'turn-1' && step === 2) {
        void second.pass();
        return cancelledWhileBeating();
      }
      const { head } = script.write(['think', `${turnId}/${step}`, ...steering].join(' '));
      if (turnId === 'turn-1') await first.pass();
      return turnId === 'turn-1' ? { head, calls: [], limits } : { head, outcome: 'completed', calls: [], limits };
    },
    endTurn: ({ turnId, end, steering = [] }) => Promise.resolve({ ...script.write(`end ${turnId} ${end.outcome}`), unseen: steering }),
  });
  const first = gate();
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await first.reached;
    await send('steering', { onBusy: 'steer' });
    first.open();
    await second.reached;
    await handle.executeUpdate(cancelTurn, { args: [{}] });
    await handle.executeUpdate(cancelTurn, { args: [{ turnId: 'turn-1' }] });
    await env.sleep('1 minute');
    await close();
  });
  expect(turnsOf(script)).toEqual(['think turn-1/1', 'end turn-1 cancelled', 'think steering/1', 'close']);
});

it('interrupts a turn that rests while the tenant is suspended; the message waits for the resumption', async () => {
  const script: Script = new Script({
    think: async ({ turnId, step }) => {
      const { head } = script.write(`think ${turnId}/${step}`);
      if (turnId === 'turn-1' && step === 1) await first.pass();
      return step === 1 ? { head, calls: [call('a')], limits } : { head, outcome: 'completed', calls: [], limits };
    },
  });
  const first = gate();
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await first.reached;
    await handle.signal(holdSession, { at: 'step' });
    first.open();
    await env.sleep('1 hour');
    await send('turn-2', { onBusy: 'interrupt' });
    await env.sleep('1 hour');
    expect(await handle.query(readSession)).toMatchObject({ state: 'paused', turnCount: 1, queuedTurns: 1 });
    await handle.signal(releaseSession);
    await env.sleep('1 minute');
    await close();
  });
  expect(turnsOf(script)).toEqual(['think turn-1/1', 'tool turn-1/1/a', 'end turn-1 interrupted', 'think turn-2/1', 'tool turn-2/1/a', 'think turn-2/2', 'close']);
});

it('keeps the outcome that came first when cancel, interruption and failure race', async () => {
  const thinking = gate();
  const script: Script = new Script({
    think: async ({ turnId, step }) => {
      if (turnId !== 'turn-1') return { ...script.write(`think ${turnId}/${step}`), outcome: 'completed', calls: [], limits };
      await thinking.pass();
      throw ApplicationFailure.nonRetryable('no', 'model/refused');
    },
  });
  await converse(script, async ({ send, handle, close }) => {
    await send('turn-1');
    await thinking.reached;
    await handle.executeUpdate(cancelTurn, { args: [{}] });
    await send('turn-2', { onBusy: 'interrupt' });
    await handle.signal(closeSession);
    thinking.open();
    await close();
  });
  expect(turnsOf(script)).toEqual(['end turn-1 cancelled', 'end turn-2 cancelled session/closed', 'close']);
});
