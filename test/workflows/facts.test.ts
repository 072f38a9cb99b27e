import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import { turnsPerRun } from '../../src/domain/session';
import { cancelTurn, closeSession, holdSession, readSession, releaseSession } from '../../src/workflows/definitions';
import { cancelledWhileBeating, type Conversation, converse, gate, limits, Script } from './session-script';

jest.setTimeout(60_000);

type Overrides = NonNullable<ConstructorParameters<typeof Script>[0]>;

/** An agent that has facts extracted. */
function extracting(overrides: Overrides = {}): Script {
  const script: Script = new Script({
    think: ({ turnId, step }) => Promise.resolve({ ...script.write(`think ${turnId}/${step}`), outcome: 'completed', calls: [], limits, extract: true }),
    ...overrides,
  });
  return script;
}

async function answered({ env, handle }: Pick<Conversation, 'env' | 'handle'>, turns: number): Promise<void> {
  while ((await handle.query(readSession)).turnCount < turns) await env.sleep(100);
}

it('extracts facts behind a turn, of which neither its end nor the next turn waits, one turn after the other', async () => {
  const first = gate();
  const seen: unknown[] = [];
  const script = extracting({
    extractFacts: async ({ turnId, step, after, upTo }) => {
      seen.push([turnId, step, after < upTo, Context.current().info.attempt]);
      if (turnId === 'turn-1') await first.pass();
      return script.write(`extract ${turnId}`);
    },
  });
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await first.reached;
    await send('turn-2');
    await send('turn-3');
    // All are answered while the first is still at it.
    await answered({ env, handle }, 3);
    expect(script.done.filter((line) => line.startsWith('extract'))).toEqual([]);
    first.open();
    await close();
  });
  expect(script.done.filter((line) => !line.startsWith('announce'))).toEqual(['think turn-1/1', 'think turn-2/1', 'think turn-3/1', 'extract turn-1', 'extract turn-2', 'extract turn-3', 'close']);
  expect(seen).toEqual([['turn-1', 1, true, 1], ['turn-2', 1, true, 1], ['turn-3', 1, true, 1]]);
});

it('tries again what fails, and says why of what fails for good', async () => {
  const script = extracting({
    extractFacts: ({ turnId }) => {
      const { attempt } = Context.current().info;
      if (turnId === 'turn-2') throw ApplicationFailure.nonRetryable('no', 'model/refused');
      if (attempt < 3) throw ApplicationFailure.retryable('the memory is away', 'dependency/unavailable');
      return Promise.resolve(script.write(`extract ${turnId} attempt ${attempt}`));
    },
  });
  await converse(script, async ({ env, send, close }) => {
    await send('turn-1');
    await send('turn-2');
    await env.sleep('1 hour');
    await close();
  });
  expect(script.done.slice(-3)).toEqual(['extract turn-1 attempt 3', 'skip turn-2 model/refused', 'close']);
});

it('extracts facts from a turn that was cancelled when its answer was in the log already', async () => {
  const thinking = gate();
  const script = extracting({
    think: () => {
      void thinking.pass();
      return cancelledWhileBeating();
    },
    endTurn: ({ turnId }) => Promise.resolve({ ...script.write(`end ${turnId}`), unseen: [], completed: true }),
  });
  await converse(script, async ({ send, handle, close }) => {
    await send('turn-1');
    await thinking.reached;
    await handle.executeUpdate(cancelTurn, { args: [{}] });
    await close();
  });
  expect(script.done).toEqual(['end turn-1', 'extract turn-1', 'close']);
});

it('gives up after an hour, with what was wrong', async () => {
  const script = extracting({ extractFacts: () => Promise.reject(ApplicationFailure.retryable('the memory is away', 'dependency/unavailable')) });
  await converse(script, async ({ env, send, close }) => {
    await send('turn-1');
    await env.sleep('2 hours');
    expect(script.done).toEqual(['think turn-1/1', 'skip turn-1 dependency/unavailable']);
    await close();
  });
});

it('goes on with what waits as a new run', async () => {
  const first = gate();
  const script = extracting({
    extractFacts: async ({ turnId }) => {
      if (turnId === 'turn-1' && Context.current().info.workflowExecution?.runId === begun.runId) await first.pass();
      return script.write(`extract ${turnId}`);
    },
  });
  const begun: { runId?: string } = {};
  await converse(script, async ({ env, send, close, handle }) => {
    begun.runId = (await handle.describe()).runId;
    for (let turn = 1; turn <= turnsPerRun + 2; turn += 1) await send(`turn-${turn}`);
    await answered({ env, handle }, turnsPerRun + 2);
    first.open();
    await close();
    expect((await handle.describe()).runId).not.toBe(begun.runId);
  });
  const extracted = new Set(script.done.filter((line) => line.startsWith('extract')));
  expect(extracted).toEqual(new Set(Array.from({ length: turnsPerRun + 2 }, (_, index) => `extract turn-${index + 1}`)));
});

it('rests while the tenant is suspended, and does it again afterwards', async () => {
  const first = gate();
  let calls = 0;
  const script = extracting({
    extractFacts: async ({ turnId }) => {
      calls += 1;
      if (calls > 1) return script.write(`extract ${turnId}`);
      first.pass().catch(() => undefined);
      return cancelledWhileBeating();
    },
  });
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await first.reached;
    await handle.signal(holdSession, { at: 'turn' });
    await env.sleep('3 hours');
    expect(await handle.query(readSession)).toMatchObject({ state: 'paused' });
    expect(script.done).toEqual(['think turn-1/1']);
    await handle.signal(releaseSession);
    await env.sleep('1 minute');
    expect(script.done).toEqual(['think turn-1/1', 'extract turn-1']);
    await close();
  });
});

it('ends with a session that is cancelled, or that has waited a minute to close: what was not done is noted', async () => {
  const script = extracting({ extractFacts: () => cancelledWhileBeating() });
  await converse(script, async ({ env, send, handle }) => {
    await send('turn-1');
    await send('turn-2');
    await answered({ env, handle }, 2);
    await handle.cancel();
    await handle.result();
  });
  expect(script.done.slice(-3)).toEqual(['skip turn-1 session/closed', 'skip turn-2 session/closed', 'close']);
});

it('does not keep a session from closing when the tenant is suspended meanwhile', async () => {
  const extractingNow = gate();
  const script = extracting({
    extractFacts: () => {
      void extractingNow.pass();
      return cancelledWhileBeating();
    },
  });
  await converse(script, async ({ env, send, handle }) => {
    await send('turn-1');
    await extractingNow.reached;
    await handle.signal(closeSession);
    await env.sleep('1 second');
    await handle.signal(holdSession, { at: 'turn' });
    await handle.result();
  });
  expect(script.done.slice(-2)).toEqual(['skip turn-1 session/closed', 'close']);
});

it('keeps where the facts of a turn are for all its steps', async () => {
  const read: unknown[] = [];
  const script: Script = new Script({
    think: ({ turnId, step, factsAt }) => {
      const { head } = script.write(`think ${turnId}/${step}`);
      read.push(factsAt);
      const call = { callId: 'a', tool: 'calculator', requestedAt: 1, timeoutMs: 5_000, maxAttempts: 2 };
      return Promise.resolve(step === 1 ? { head, calls: [call], limits, factsAt: 7 } : { head, outcome: 'completed', calls: [], limits, factsAt: 7 });
    },
  });
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await send('turn-2');
    await answered({ env, handle }, 2);
    await close();
  });
  expect(read).toEqual([undefined, 7, undefined, 7]);
});
