import fc from 'fast-check';
import {
  advance,
  announce,
  beginTurn,
  cancelTurn,
  canAct,
  close,
  describe as describeState,
  finishTurn,
  historyStart,
  hold,
  isAtRest,
  isBusy,
  maxInbox,
  newSession,
  nextAction,
  receive,
  recordThought,
  recordResult,
  release,
  requestEnd,
  rest,
  type SessionState,
  takenAt,
  type Thought,
  turnTimeLeftMs,
  unannounced,
  viewOf,
} from '../../src/domain/session';

const limits = { maxSteps: 3, maxTurnMs: 60_000, historyTurns: 2 };
const call = (callId: string) => ({ callId, tool: 'calculator', requestedAt: 1, timeoutMs: 1_000, maxAttempts: 3 });
/** Every call of the step has its result. */
const recordTools = (state: SessionState, head: number): SessionState =>
  (state.current?.calls ?? []).reduce((before, { callId }) => recordResult(before, { turnId: state.current?.turnId ?? '', callId, head }), state);
const says = (head: number): Thought => ({ head, outcome: 'completed', calls: [], limits });
const asks = (head: number, ...ids: string[]): Thought => ({ head, calls: ids.map(call), limits });
const begun = (...turnIds: string[]) => beginTurn(turnIds.reduce((state, turnId) => receive(state, turnId), newSession), 0);

describe('what a session does next', () => {
  it('waits without a message, thinks with one, and waits again after the answer', () => {
    expect(nextAction(newSession).do).toBe('wait');
    const state = begun('turn-1');
    expect(nextAction(state)).toMatchObject({ do: 'think', turn: { turnId: 'turn-1', step: 1 } });
    expect(nextAction(recordThought(state, says(4)))).toEqual({ do: 'wait' });
  });

  it('uses the tools a step asks for, then thinks the next step', () => {
    const asked = recordThought(begun('turn-1'), asks(5, 'a', 'b'));
    expect(nextAction(asked)).toMatchObject({ do: 'useTools', turn: { calls: [{ callId: 'a' }, { callId: 'b' }] } });
    expect(nextAction(recordTools(asked, 9))).toMatchObject({ do: 'think', turn: { step: 2 } });
  });

  it('thinks on when every call of a step was refused at once', () => {
    expect(nextAction(recordThought(begun('turn-1'), asks(5)))).toMatchObject({ do: 'think', turn: { step: 2 } });
  });

  it('ends a turn that never stops asking for tools', () => {
    let state = begun('turn-1');
    for (let step = 1; step <= limits.maxSteps; step += 1) {
      expect(nextAction(state).do).toBe('think');
      state = recordTools(recordThought(state, asks(step * 2, 'a')), step * 2 + 1);
    }
    expect(nextAction(state)).toMatchObject({ do: 'endTurn', end: { outcome: 'max_steps' } });
  });

  it('keeps the first reason for which a turn ends', () => {
    const state = requestEnd(requestEnd(begun('turn-1'), { outcome: 'cancelled' }), { outcome: 'failed' });
    expect(nextAction(state)).toMatchObject({ do: 'endTurn', end: { outcome: 'cancelled' } });
  });
});

describe('messages', () => {
  it('are answered in the order they came', () => {
    const first = begun('turn-1', 'turn-2');
    expect(first.current?.turnId).toBe('turn-1');
    expect(beginTurn(recordThought(first, says(3)), 0).current?.turnId).toBe('turn-2');
  });

  it('are recognised when they come again, with the place in the log they had', () => {
    const state = receive(advance(newSession, 7), 'turn-1');
    expect(takenAt(advance(state, 20), 'turn-1')).toBe(7);
    expect(takenAt(state, 'turn-2')).toBeUndefined();
  });

  it('that wait are announced once, and their turn begins only after that', () => {
    const state = receive(begun('turn-1'), 'turn-2');
    expect(unannounced(state)).toEqual(['turn-2']);
    const pending = announce(state, ['turn-2'], 'pending');
    expect(unannounced(pending)).toEqual([]);
    const answered = recordThought(pending, says(3));
    expect(canAct(answered)).toBe(false);
    expect(beginTurn(answered, 0).current).toBeUndefined();
    expect(beginTurn(announce(answered, ['turn-2'], 'done'), 0).current).toMatchObject({ turnId: 'turn-2', announced: true });
  });
});

describe('cancelling and closing', () => {
  it('cancels the running turn when none is named, and a waiting one by its id', () => {
    const state = begun('turn-1', 'turn-2');
    expect(nextAction(cancelTurn(state, undefined))).toMatchObject({ do: 'endTurn', end: { outcome: 'cancelled' } });
    const waiting = recordThought(cancelTurn(state, 'turn-2'), says(3));
    expect(nextAction(beginTurn(waiting, 0))).toMatchObject({ do: 'endTurn', turn: { turnId: 'turn-2' }, end: { outcome: 'cancelled' } });
  });

  it('lets the running turn finish, ends the waiting ones unheard, then closes', () => {
    const closing = close(begun('turn-1', 'turn-2'));
    expect(nextAction(closing).do).toBe('think');
    const second = beginTurn(recordThought(closing, says(3)), 0);
    expect(nextAction(second)).toMatchObject({ do: 'endTurn', end: { outcome: 'cancelled', code: 'session/closed' } });
    expect(nextAction(finishTurn(second, 5)).do).toBe('close');
  });
});

it('shows the model the latest turns only', () => {
  const heads = [4, 8, 12];
  const state = heads.reduce<SessionState>((before, head, index) => recordThought(beginTurn(receive(before, `turn-${index}`), 0), says(head)), newSession);
  expect(historyStart(state)).toBe(4);
});

it('leaves a turn no more time than it has', () => {
  expect(turnTimeLeftMs({ ...newSession, limits }, 1_000, 31_000)).toBe(30_000);
  expect(turnTimeLeftMs({ ...newSession, limits }, 1_000, 10_000_000)).toBe(1);
});

/** Whatever happens in whatever order, nothing is lost, nothing is answered twice, and nothing runs out of turn. */
it('answers every message exactly once, in order, under any interleaving', () => {
  const event = fc.oneof(
    { weight: 4, arbitrary: fc.constant('message' as const) },
    { weight: 6, arbitrary: fc.constantFrom('answer', 'tools', 'fail') },
    { weight: 1, arbitrary: fc.constantFrom('cancel', 'announce', 'close') },
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 120 }), (events) => {
      let state: SessionState = newSession;
      const received: string[] = [];
      const ended: string[] = [];
      const carryOut = (how: string) => {
        state = beginTurn(state, 0);
        const action = nextAction(state);
        const { current } = state;
        if (!current) return;
        if (action.do === 'endTurn' || (action.do === 'think' && how === 'answer')) {
          ended.push(current.turnId);
          state = action.do === 'endTurn' ? finishTurn(state, state.head + 1) : recordThought(state, says(state.head + 2));
        } else if (how === 'fail') state = requestEnd(state, { outcome: 'failed' });
        else if (action.do === 'think') state = recordThought(state, asks(state.head + 3, 'a', 'b'));
        else state = recordTools(state, state.head + 2);
      };
      for (const name of events) {
        if (name === 'message' && !state.closing && state.inbox.length < maxInbox) {
          received.push(`turn-${received.length}`);
          state = receive(state, received.at(-1) ?? '');
        } else if (name === 'cancel') state = cancelTurn(state, undefined);
        else if (name === 'close') state = close(state);
        else if (name === 'announce') state = announce(state, unannounced(state), 'done');
        else carryOut(name);
        expect(ended).toEqual(received.slice(0, ended.length));
      }
      for (let left = 10 * maxInbox; isBusy(state) && left > 0; left -= 1) carryOut('answer');
      expect(ended).toEqual(received);
      expect(state.turnCount).toBe(received.length);
      expect(nextAction(state).do).toBe(state.closing ? 'close' : 'wait');
    }),
    { numRuns: 500 },
  );
});

describe('a held session', () => {
  const inTools = () => recordThought(begun('turn-1', 'turn-2'), asks(5, 'a'));

  it.each(['turn', 'step'] as const)('held at a %s, finishes what is at work, and rests there', (at) => {
    const held = hold(inTools(), at, 0);
    expect(nextAction(held).do).toBe('useTools');
    expect(isAtRest(held)).toBe(false);
    const stepDone = recordTools(held, 9);
    expect(nextAction(stepDone).do).toBe(at === 'step' ? 'wait' : 'think');
    const turnDone = at === 'step' ? rest(stepDone, 10) : beginTurn(recordThought(stepDone, says(12)), 10);
    expect(canAct(turnDone)).toBe(false);
    expect(isAtRest(turnDone)).toBe(true);
    expect(viewOf(turnDone)).toMatchObject({ state: 'paused', queuedTurns: 1 });
    expect(describeState(turnDone)).toContain('paused');
    const released = release(turnDone, 20);
    expect(canAct(released)).toBe(true);
    expect(nextAction(beginTurn(released, 20))).toMatchObject({ do: 'think', turn: { turnId: at === 'step' ? 'turn-1' : 'turn-2' } });
  });

  it('has as much time after its rest as before, however often it rests', () => {
    let state = recordTools(hold(inTools(), 'step', 0), 9);
    for (const [fromMs, untilMs] of [[1_000, 90_000], [95_000, 200_000]] as const) {
      // It wakes for other reasons meanwhile: the rest began at the first.
      state = rest(rest(state, fromMs), untilMs - 1);
      state = release(state, untilMs);
      expect(isAtRest(state)).toBe(false);
      state = hold(state, 'step', untilMs + 1);
    }
    expect(turnTimeLeftMs(state, state.current?.startedAtMs ?? NaN, 200_000)).toBe(limits.maxTurnMs - 1_000 - 5_000);
  });

  it('goes on to the end of the turn when it is held there instead', () => {
    const resting = rest(recordTools(hold(inTools(), 'step', 0), 9), 10);
    expect(nextAction(hold(resting, 'turn', 20))).toMatchObject({ do: 'think', turn: { startedAtMs: 10 } });
  });

  it('can be stopped and closed while it rests', () => {
    const resting = rest(recordTools(hold(inTools(), 'step', 0), 9), 10);
    expect(nextAction(cancelTurn(resting, undefined))).toMatchObject({ do: 'endTurn', end: { outcome: 'cancelled' } });
    const closing = close(resting);
    expect(nextAction(closing)).toMatchObject({ do: 'endTurn', end: { code: 'session/closed' } });
    expect(nextAction(beginTurn(finishTurn(closing, 12), 20))).toMatchObject({ do: 'endTurn', turn: { turnId: 'turn-2' } });
  });
});
