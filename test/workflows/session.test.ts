import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import { eventsPerRun, newSession, turnsPerRun } from '../../src/domain/session';
import { budgetChanged, cancelTurn, closeSession, holdSession, readSession, releaseSession } from '../../src/workflows/definitions';
import { answeringBehind, cancelledWhileBeating, converse, fail, gate, limits, refusal, Script } from './session-script';

it('answers, survives a day of silence, and closes', async () => {
  const script = new Script();
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await env.sleep('1 day');
    expect(await handle.query(readSession)).toEqual({ state: 'idle', head: 2, turnCount: 1, queuedTurns: 0 });
    expect(await send('turn-2')).toEqual({ after: 2 });
    await close();
  });
  expect(script.done).toEqual(['think turn-1/1', 'think turn-2/1', 'close']);
});

it('runs the tools of one step side by side, and tells the model of one that failed for good', async () => {
  const both = gate();
  let waiting = 0;
  const script: Script = new Script({
    think: ({ turnId, step }) => {
      const { head } = script.write(`think ${turnId}/${step}`);
      const call = (callId: string) => ({ callId, tool: 'calculator', requestedAt: 1, timeoutMs: 5_000, maxAttempts: 2 });
      return Promise.resolve(step === 1 ? { head, calls: [call('a'), call('b')], limits } : { head, outcome: 'completed', calls: [], limits });
    },
    useTool: async ({ call }) => {
      waiting += 1;
      if (waiting === 2) both.open();
      await both.pass();
      if (call.callId === 'b') throw ApplicationFailure.retryable('the target is down', 'tool/failed');
      return script.write(`tool ${call.callId} attempt ${Context.current().info.attempt}`);
    },
  });
  await converse(script, async ({ send, close }) => {
    await send('turn-1');
    await close();
  });
  expect(script.done).toEqual(['think turn-1/1', 'tool a attempt 1', 'failTool b tool/failed', 'think turn-1/2', 'close']);
});

it('tells the model of a tool that took too long what it took, or that the time of the turn was up', async () => {
  const told: string[] = [];
  const script: Script = new Script({
    think: ({ turnId, step }) => {
      const { head } = script.write(`think ${turnId}/${step}`);
      const call = { callId: 'a', tool: 'calculator', requestedAt: 1, timeoutMs: turnId === 'slow' ? 2_000 : 60_000, maxAttempts: 1 };
      return Promise.resolve(step === 1 ? { head, calls: [call], limits: { ...limits, maxTurnMs: 10_000 } } : { head, outcome: 'completed', calls: [], limits });
    },
    useTool: () => cancelledWhileBeating(),
    failTool: ({ turnId, message }) => {
      told.push(message);
      return Promise.resolve(script.write(`failTool ${turnId}`));
    },
  });
  await converse(script, async ({ env, send, close }) => {
    for (const turnId of ['slow', 'late']) {
      await send(turnId);
      await env.sleep('1 minute');
    }
    await close();
  });
  expect(told).toEqual(['The tool did not answer within 2 seconds.', 'The time of the turn was up before the tool had answered.']);
});

it('has what is older summarised when it is too long, once a step, and reads the summary from then on, as a new run too', async () => {
  const read: unknown[] = [];
  const script: Script = new Script({
    think: ({ turnId, step, compacted = false, compaction }) => {
      const { head } = script.write(`think ${turnId}/${step}`);
      read.push(compaction?.upTo);
      const isTooLong = turnId === 'turn-2' && !compacted;
      return Promise.resolve(isTooLong ? { head, calls: [], limits, compact: { upTo: 2, maxCharacters: 10 } } : { head, outcome: 'completed', calls: [], limits });
    },
  });
  await converse(script, async ({ env, send, close, handle }) => {
    const first = (await handle.describe()).runId;
    // One more than a run has, and one that waits: it goes on as a new run.
    for (let turn = 1; turn <= turnsPerRun + 2; turn += 1) await send(`turn-${turn}`);
    await env.sleep('1 minute');
    await close();
    expect((await handle.describe()).runId).not.toBe(first);
  });
  expect(script.done.filter((line) => !line.startsWith('announce')).slice(0, 5)).toEqual(['think turn-1/1', 'think turn-2/1', 'compact turn-2/1 up to 2', 'think turn-2/1', 'think turn-3/1']);
  expect(read).toEqual([undefined, undefined, ...Array.from({ length: turnsPerRun + 1 }, () => 2)]);
});

it('ends a turn that is too long for the model even so, and waits for budget to summarise, too', async () => {
  let pauses = 0;
  const script: Script = new Script({
    think: ({ turnId, step, compacted = false, resumed = false }) => {
      const { head } = script.write(`think ${turnId}/${step}${resumed ? ' again' : ''}`);
      if (compacted) throw ApplicationFailure.nonRetryable('too long', 'model/context-overflow');
      return Promise.resolve({ head, calls: [], limits, compact: { upTo: 1, maxCharacters: 10 } });
    },
    compact: ({ plan, resumed = false }) => {
      const { head } = script.write(`compact up to ${plan.upTo}${resumed ? ' again' : ''}`);
      pauses += 1;
      return Promise.resolve(pauses === 1 ? { head, exhausted: { level: 'session', unit: 'tokens', longestPauseMs: 3_600_000 } } : { head });
    },
  });
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await env.sleep('1 minute');
    expect(await handle.query(readSession)).toMatchObject({ state: 'out_of_budget' });
    await handle.signal(budgetChanged, { heardAfterMs: 0 });
    await env.sleep('1 minute');
    await close();
  });
  expect(script.done).toEqual(['think turn-1/1', 'compact up to 1', 'compact up to 1 again', 'think turn-1/1', 'end turn-1 failed model/context-overflow', 'close']);
});

it('enqueues or rejects what comes while it works, and shows what waits', async () => {
  const thinking = gate();
  const script = answeringBehind(thinking);
  await converse(script, async ({ env, send, close, handle }) => {
    await send('turn-1');
    await thinking.reached;
    await send('turn-2', { onBusy: 'reject' }).then(fail, refusal('session/busy'));
    await send('turn-3');
    await send('turn-4');
    expect(await handle.query(readSession)).toMatchObject({ state: 'running', queuedTurns: 2 });
    thinking.open();
    await env.sleep('1 minute');
    await close();
  });
  expect(script.done.filter((line) => line.startsWith('think'))).toEqual(['think turn-1/1', 'think turn-3/1', 'think turn-4/1']);
  expect(script.done.join()).toContain('announce');
  expect(script.done.at(-1)).toBe('close');
});

it('continues as new before a run has more events than are replayed in an instant, however few turns they are', async () => {
  const callsPerTurn = 6;
  const script: Script = new Script({
    think: ({ turnId, step }) => {
      const { head } = script.write(`think ${turnId}/${step}`);
      const calls = Array.from({ length: callsPerTurn }, (_, index) => ({ callId: `${turnId}-${index}`, tool: 'calculator', requestedAt: 1, timeoutMs: 5_000, maxAttempts: 2 }));
      return Promise.resolve(step === 1 ? { head, calls, limits } : { head, outcome: 'completed', calls: [], limits });
    },
  });
  await converse(script, async ({ env, send, close, handle }) => {
    const { runId } = await handle.describe();
    for (let turn = 1; turn < turnsPerRun; turn += 1) await send(`turn-${turn}`);
    await env.sleep('1 minute');
    const { events } = await env.client.workflow.getHandle(handle.workflowId, runId).fetchHistory();
    expect(events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes).toBeTruthy();
    // What waited came in as updates; a turn's own events are three for each activity, and what decides between them.
    expect(events?.length).toBeLessThan(eventsPerRun + 12 * callsPerTurn);
    await close();
  });
  expect(script.done.filter((line) => line.startsWith('tool'))).toHaveLength(callsPerTurn * (turnsPerRun - 1));
});

it('takes a message once however often it is sent, also after it continued as new', async () => {
  const script = new Script();
  await converse(script, async ({ send, close }) => {
    const turnIds = Array.from({ length: turnsPerRun + 5 }, (_, index) => `turn-${index}`);
    for (const turnId of turnIds) await send(turnId);
    for (const turnId of turnIds) await send(turnId);
    await close();
  });
  const thoughts = script.done.filter((line) => line.startsWith('think'));
  expect(thoughts).toHaveLength(turnsPerRun + 5);
  expect(new Set(thoughts).size).toBe(thoughts.length);
});

it('refuses another user as if there were no session, and anyone once it closes', async () => {
  const thinking = gate();
  const script: Script = new Script({
    think: async () => {
      await thinking.pass();
      return { ...script.write('think'), outcome: 'completed', calls: [], limits };
    },
  });
  await converse(script, async ({ send, handle }) => {
    await send('turn-1', { userId: 'user-2' }).then(fail, refusal('session/not-found'));
    await send('turn-1');
    await thinking.reached;
    await handle.signal(closeSession);
    await send('turn-2').then(fail, refusal('session/closed'));
    thinking.open();
    await handle.result();
  });
  expect(script.done).toEqual(['think', 'close']);
});

it('ends a turn with a name when the model fails for good or too long, runs out of steps, or out of time', async () => {
  const script: Script = new Script({
    think: async ({ turnId, step }) => {
      if (turnId === 'slow' && step === 2) return cancelledWhileBeating();
      // Until what is left of its time is too short for another attempt.
      if (turnId === 'broken' && step === 2) throw new Error('a bug');
      if (turnId === 'refused') throw ApplicationFailure.nonRetryable('not like this', 'model/refused');
      if (turnId === 'busy') throw ApplicationFailure.retryable('busy', 'model/throttled');
      return { ...script.write(`think ${turnId}`), calls: [], limits: { ...limits, maxTurnMs: ['slow', 'broken'].includes(turnId) ? 1_000 : limits.maxTurnMs } };
    },
  });
  await converse(script, async ({ env, send, close }) => {
    for (const turnId of ['refused', 'endless', 'busy', 'slow', 'broken']) {
      await send(turnId);
      await env.sleep('20 minutes');
    }
    await close();
  });
  expect(script.done.filter((line) => line.startsWith('end'))).toEqual([
    'end refused failed model/refused',
    'end endless max_steps',
    'end busy failed model/throttled',
    'end slow timed_out',
    'end broken timed_out',
  ]);
});

it('stops the running activity when its turn is cancelled, and goes on with the next', async () => {
  const thinking = gate();
  const script: Script = new Script({
    think: async ({ turnId, step }) => {
      if (turnId === 'turn-2') return { ...script.write(`think ${turnId}/${step}`), outcome: 'completed', calls: [], limits };
      void thinking.pass();
      return cancelledWhileBeating().finally(() => script.write('stopped'));
    },
  });
  await converse(script, async ({ send, handle, close }) => {
    await send('turn-1');
    await thinking.reached;
    expect(await handle.executeUpdate(cancelTurn, { args: [{ turnId: 'no-such' }] })).toBe(false);
    expect(await handle.executeUpdate(cancelTurn, { args: [{}] })).toBe(true);
    await send('turn-2');
    await close();
  });
  expect(script.done.filter((line) => !line.startsWith('announce')).slice(0, 2)).toEqual(['stopped', 'end turn-1 cancelled']);
});

it('ends what it has taken when its log says that it closed long ago, and closes again', async () => {
  const pickingUp = gate();
  const script: Script = new Script({
    think: () => Promise.reject(ApplicationFailure.nonRetryable('It has a past.', 'log/unread')),
    pickUpSession: async () => {
      await pickingUp.pass();
      return { head: 12, turnCount: 1, turnStarts: [0], seen: [['turn-1', 0]], isClosed: true };
    },
  });
  await converse(script, async ({ send, handle }) => {
    await send('turn-2');
    await pickingUp.reached;
    await send('turn-3');
    pickingUp.open();
    await handle.result();
  });
  expect(script.done.filter((line) => !line.startsWith('announce'))).toEqual(['end turn-2 cancelled session/closed', 'end turn-3 cancelled session/closed', 'close']);
});

describe('of a tenant that was restored', () => {
  /** Refuses what its workflow writes as long as that knows of nothing. */
  function restored(): Script {
    const behindPast = ({ after }: { readonly after: number }, line: string) => (after === 0 ? Promise.reject(ApplicationFailure.nonRetryable('It has a past.', 'log/unread')) : Promise.resolve(script.write(line)));
    const script: Script = new Script({
      think: async ({ after, turnId }) => {
        if (turnId === 'turn-2') return cancelledWhileBeating();
        const { head } = await behindPast({ after }, `think ${turnId}`);
        return { head, outcome: 'completed', calls: [], limits };
      },
      endTurn: async (input) => ({ ...(await behindPast(input, `end ${input.turnId} ${input.end.outcome}`)), unseen: [] }),
      closeSession: (input) => behindPast(input, 'close'),
      pickUpSession: () => {
        script.done.push('pick up');
        return Promise.resolve({ head: 12, turnCount: 1, turnStarts: [3], seen: [['turn-1', 3]], isClosed: false });
      },
    });
    return script;
  }

  it('learns of its past before it ends a turn that did not come to think, and answers nothing again', async () => {
    const script = restored();
    await converse(script, async ({ send, handle, close }) => {
      await send('turn-2');
      await handle.executeUpdate(cancelTurn, { args: [{}] });
      await send('turn-1');
      await close();
    });
    expect(script.done.filter((line) => !line.startsWith('announce'))).toEqual(['pick up', 'end turn-2 cancelled', 'close']);
  });

  it('learns of its past before it closes', async () => {
    const script = restored();
    await converse(script, ({ close }) => close());
    expect(script.done).toEqual(['pick up', 'close']);
  });
});

it('closes in good order when an operator cancels the workflow', async () => {
  const script = new Script();
  await converse(script, async ({ env, send, handle }) => {
    await send('turn-1');
    await env.sleep('1 minute');
    await handle.cancel();
    await handle.result();
  });
  expect(script.done.at(-1)).toBe('close');
});

it('closes in good order when an operator cancels the workflow while a message is being written into the log', async () => {
  const thinking = gate();
  const away = gate();
  let isAway = true;
  const script: Script = new Script({
    think: () => {
      void thinking.pass();
      return cancelledWhileBeating();
    },
    announceTurns: ({ turnIds }) => {
      void away.pass();
      return isAway ? Promise.reject(ApplicationFailure.retryable('The table is away.', 'dependency/unavailable')) : Promise.resolve(script.write(`announce ${turnIds.join(' ')}`));
    },
  });
  await converse(script, async ({ send, handle }) => {
    await send('turn-1');
    await thinking.reached;
    await send('turn-2');
    await away.reached;
    await handle.cancel();
    isAway = false;
    await handle.result();
  });
  expect(script.done).toContain('announce turn-2');
  expect(script.done.at(-1)).toBe('close');
});

it('takes up its next message in a run that began with nothing to do, in another worker', async () => {
  const script = new Script();
  const rolledOver = { ...newSession, head: 4, seen: [['turn-1', 0] as const], turnStarts: [0], turnCount: 1 };
  await converse(
    script,
    async ({ env, handle, send, close }) => {
      while (!(await env.client.workflow.getHandle(handle.workflowId).fetchHistory()).events?.some(({ workflowTaskCompletedEventAttributes: done }) => done)) continue;
      await send('turn-2');
      await close();
    },
    rolledOver,
    0,
  );
  expect(script.done).toEqual(['think turn-2/1', 'close']);
});

describe('held while its tenant is suspended', () => {
  const call = { callId: 'a', tool: 'calculator', requestedAt: 1, timeoutMs: 5_000, maxAttempts: 2 };
  /** A turn of two steps, whose first can be held. */
  function twoSteps() {
    const first = gate();
    const script: Script = new Script({
      think: async ({ turnId, step }) => {
        const { head } = script.write(`think ${turnId}/${step}`);
        if (turnId === 'turn-1' && step === 1) await first.pass();
        return step === 1 ? { head, calls: [call], limits } : { head, outcome: 'completed', calls: [], limits };
      },
    });
    return { script, first };
  }

  it('rests before its next step for a day, longer than a turn may take, and goes on; messages wait', async () => {
    const { script, first } = twoSteps();
    await converse(script, async ({ env, send, close, handle }) => {
      await send('turn-1');
      await first.reached;
      await handle.signal(holdSession, { at: 'step' });
      expect(await handle.query(readSession)).toMatchObject({ state: 'running' });
      await send('turn-2');
      first.open();
      await env.sleep('1 day');
      expect(await handle.query(readSession)).toMatchObject({ state: 'paused', turnCount: 0, queuedTurns: 1 });
      expect(script.done).toEqual(['think turn-1/1', 'announce turn-2', 'tool turn-1/1/a']);
      await handle.signal(releaseSession);
      await env.sleep('1 minute');
      await close();
    });
    expect(script.done.slice(3)).toEqual(['think turn-1/2', 'think turn-2/1', 'tool turn-2/1/a', 'think turn-2/2', 'close']);
  });

  it('finishes its turn, keeps the next message for later, and says so when it continues as new meanwhile', async () => {
    const { script, first } = twoSteps();
    await converse(script, async ({ env, send, close, handle }) => {
      await send('turn-1');
      await first.reached;
      await handle.signal(holdSession, { at: 'turn' });
      await send('turn-2');
      first.open();
      await env.sleep('1 hour');
      expect(await handle.query(readSession)).toMatchObject({ state: 'paused', turnCount: 1, queuedTurns: 1 });
      await handle.signal(releaseSession);
      await env.sleep('1 minute');
      expect(await handle.query(readSession)).toMatchObject({ state: 'idle', turnCount: 2 });
      await close();
    });
  });

  it('stays held when it continues as new', async () => {
    const last = gate();
    const script: Script = new Script({
      think: async ({ turnId, step }) => {
        const { head } = script.write(`think ${turnId}/${step}`);
        if (turnId === `turn-${turnsPerRun}`) await last.pass();
        return { head, outcome: 'completed', calls: [], limits };
      },
    });
    await converse(script, async ({ env, send, close, handle }) => {
      const { runId } = await handle.describe();
      for (let turn = 1; turn <= turnsPerRun; turn += 1) await send(`turn-${turn}`);
      await last.reached;
      await handle.signal(holdSession, { at: 'turn' });
      await send('turn-next');
      last.open();
      await env.sleep('1 hour');
      expect((await handle.describe()).runId).not.toBe(runId);
      expect(await handle.query(readSession)).toMatchObject({ state: 'paused', queuedTurns: 1 });
      await handle.signal(releaseSession);
      await env.sleep('1 minute');
      expect(script.done).toContain('think turn-next/1');
      await close();
    });
  });

  it('ends its turn at once when the tenant leaves', async () => {
    const { script, first } = twoSteps();
    await converse(script, async ({ env, send, close, handle }) => {
      await send('turn-1');
      await first.reached;
      await handle.signal(holdSession, { at: 'step' });
      first.open();
      await env.sleep('1 hour');
      await close();
    });
    expect(script.done).toEqual(['think turn-1/1', 'tool turn-1/1/a', 'end turn-1 cancelled session/closed', 'close']);
  });
});
