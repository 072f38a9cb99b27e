import type { SessionActivities } from '../../src/activities/session';
import { budgetChanged, cancelTurn, closeSession, holdSession, readSession, releaseSession } from '../../src/workflows/definitions';
import { converse, gate, limits, Script } from './session-script';

const hourMs = 3_600_000;

/** Steps of `turn-1` find no budget until so many of them were refused. @param renewsInMs - when a new day begins. */
function poor(refusals: number, { renewsInMs, longestPauseMs = 1_000 * hourMs }: { renewsInMs?: number; longestPauseMs?: number } = {}): Script {
  let refused = 0;
  const think: SessionActivities['think'] = ({ turnId, step, resumed = false }) => {
    const { head } = script.write(`think ${turnId}/${step}${resumed ? ' again' : ''}`);
    if (turnId !== 'turn-1' || refused === refusals) return Promise.resolve({ head, outcome: 'completed', calls: [], limits });
    refused += 1;
    const renewsAt = renewsInMs === undefined ? {} : { renewsAt: new Date(Date.now() + renewsInMs).toISOString() };
    return Promise.resolve({ head, calls: [], limits, exhausted: { level: 'tenantDay', unit: 'tokens', longestPauseMs, ...renewsAt } });
  };
  const script: Script = new Script({ think });
  return script;
}

const worked = (script: Script) => script.done.filter((line) => !line.startsWith('announce'));

it('waits, says for what, and goes on once a budget is raised, longer than a turn may take', async () => {
  const script = poor(1);
  await converse(script, async ({ env, handle, send, close }) => {
    await send('turn-1');
    await send('turn-2');
    await env.sleep(limits.maxTurnMs / 2);
    expect(await handle.query(readSession)).toMatchObject({ state: 'out_of_budget', queuedTurns: 1, exhausted: { level: 'tenantDay', unit: 'tokens' } });
    await handle.signal(budgetChanged, { heardAfterMs: 1_000 });
    await env.sleep(2_000);
    expect(await handle.query(readSession)).toMatchObject({ state: 'idle', turnCount: 2 });
    await close();
  });
  expect(worked(script)).toEqual(['think turn-1/1', 'think turn-1/1 again', 'think turn-2/1', 'close']);
});

it('goes on soon when a budget was raised while the step that found none was still under way', async () => {
  const asked = gate();
  let refusals = 0;
  const script: Script = new Script({
    think: async ({ turnId, step, resumed = false }) => {
      const { head } = script.write(`think ${turnId}/${step}${resumed ? ' again' : ''}`);
      if (refusals > 0) return { head, outcome: 'completed', calls: [], limits };
      refusals += 1;
      await asked.pass();
      return { head, calls: [], limits, exhausted: { level: 'tenantDay', unit: 'tokens', longestPauseMs: hourMs } };
    },
  });
  await converse(script, async ({ env, handle, send, close }) => {
    await send('turn-1');
    await asked.reached;
    await handle.signal(budgetChanged, { heardAfterMs: 1_000 });
    asked.open();
    await env.sleep('1 minute');
    expect(await handle.query(readSession)).toMatchObject({ state: 'idle', turnCount: 1 });
    await close();
  });
  expect(worked(script)).toEqual(['think turn-1/1', 'think turn-1/1 again', 'close']);
});

it('goes on when the day turns, and now and then although nobody has said anything', async () => {
  const script = poor(2, { renewsInMs: hourMs / 60 });
  await converse(script, async ({ env, handle, send, close }) => {
    await send('turn-1');
    await env.sleep(hourMs / 30 + 1_000);
    expect(worked(script)).toEqual(['think turn-1/1', 'think turn-1/1 again', 'think turn-1/1 again']);
    expect(await handle.query(readSession)).toMatchObject({ state: 'idle' });
    await close();
  });
  const silent = poor(1);
  await converse(silent, async ({ env, handle, send, close }) => {
    await send('turn-1');
    await env.sleep(hourMs);
    expect(await handle.query(readSession)).toMatchObject({ state: 'idle', turnCount: 1 });
    await close();
  });
});

it('asks again after a while, not at once, when the day has turned and the worker that looks does not know', async () => {
  const script = poor(2, { renewsInMs: -1_000 });
  await converse(script, async ({ env, handle, send, close }) => {
    await send('turn-1');
    await env.sleep(5_000);
    expect(worked(script)).toEqual(['think turn-1/1']);
    await env.sleep(60_000);
    expect(worked(script)).toEqual(['think turn-1/1', 'think turn-1/1 again', 'think turn-1/1 again']);
    expect(await handle.query(readSession)).toMatchObject({ state: 'idle' });
    await close();
  });
});

it('ends when it has waited as long as it may, when it is cancelled, and when the session closes', async () => {
  const script = poor(Infinity, { longestPauseMs: 2 * hourMs });
  await converse(script, async ({ env, send, close }) => {
    await send('turn-1');
    await env.sleep(3 * hourMs);
    await close();
  });
  expect(script.done.slice(-2)).toEqual(['end turn-1 budget_exhausted budget/exhausted', 'close']);

  const cancelled = poor(Infinity);
  await converse(cancelled, async ({ env, handle, send, close }) => {
    await send('turn-1');
    await env.sleep(1_000);
    expect(await handle.executeUpdate(cancelTurn, { args: [{}] })).toBe(true);
    await close();
  });
  expect(worked(cancelled)).toEqual(['think turn-1/1', 'end turn-1 cancelled', 'close']);

  const closed = poor(Infinity);
  await converse(closed, async ({ env, handle, send }) => {
    await send('turn-1');
    await env.sleep(1_000);
    await handle.signal(closeSession);
    await handle.result();
  });
  expect(worked(closed)).toEqual(['think turn-1/1', 'end turn-1 budget_exhausted session/closed', 'close']);
});

it('rests while the tenant is suspended, and nothing is tried or given up meanwhile', async () => {
  const script = poor(1, { longestPauseMs: 2 * hourMs });
  await converse(script, async ({ env, handle, send, close }) => {
    await send('turn-1');
    await env.sleep(1_000);
    await handle.signal(holdSession, { at: 'turn' });
    await env.sleep(10 * hourMs);
    expect(await handle.query(readSession)).toMatchObject({ state: 'paused' });
    expect(worked(script)).toEqual(['think turn-1/1']);
    await handle.signal(releaseSession);
    await env.sleep(hourMs);
    expect(await handle.query(readSession)).toMatchObject({ state: 'idle', turnCount: 1 });
    await close();
  });
});
