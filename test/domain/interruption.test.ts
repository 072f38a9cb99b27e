import {
  beginTurn,
  cancelTurn,
  finishTurn,
  hold,
  maxSteering,
  newSession,
  nextAction,
  recordThought,
  recordResult,
  rest,
  type SessionState,
  take,
  takeSteering,
  type Thought,
  unannounced,
} from '../../src/domain/session';
import type { OnBusy } from '../../src/contracts/session';

const limits = { maxSteps: 3, maxTurnMs: 60_000, historyTurns: 2 };
const asks = (head: number): Thought => ({ head, calls: [{ callId: 'a', tool: 'calculator', requestedAt: 1, timeoutMs: 1_000, maxAttempts: 3 }], limits });
/** Every call of the step has its result. */
const recordTools = (state: SessionState, head: number): SessionState =>
  (state.current?.calls ?? []).reduce((before, { callId }) => recordResult(before, { turnId: state.current?.turnId ?? '', callId, head }), state);
const says = (head: number): Thought => ({ head, outcome: 'completed', calls: [], limits });
const send = (state: SessionState, turnId: string, onBusy: OnBusy = 'enqueue') => take(state, { turnId, onBusy });
const running = () => beginTurn(send(send(newSession, 'running'), 'waiting'), 0);
const order = ({ inbox }: SessionState) => inbox.map(({ turnId }) => turnId);

describe('a message that steers', () => {
  it('joins the running turn at its next step, and is no turn that waits', () => {
    const steered = send(recordThought(running(), asks(5)), 's1', 'steer');
    expect(unannounced(steered)).toEqual(['waiting']);
    const next = takeSteering(recordTools(steered, 8));
    expect(nextAction(next)).toMatchObject({ do: 'think', turn: { turnId: 'running', step: 2, steering: ['s1'] } });
    expect(order(next)).toEqual(['waiting']);
    expect(recordThought(next, asks(12)).current?.steering).toBeUndefined();
  });

  it('is a turn of its own, ahead of the queue, when the turn ends before it is seen', () => {
    const ended = recordThought(send(send(running(), 's1', 'steer'), 's2', 'steer'), says(5));
    expect(order(ended)).toEqual(['s1', 's2', 'waiting']);
    const next = takeSteering(beginTurn(ended, 0));
    expect([next.current?.turnId, next.current?.steering]).toEqual(['s1', undefined]);
    expect(order(next)).toEqual(['s2', 'waiting']);
  });

  it('is given back when it was on its way into a step that never began', () => {
    const onItsWay = takeSteering(send(send(running(), 's1', 'steer'), 's2', 'steer'));
    const ended = finishTurn(send(send(onItsWay, 'i1', 'interrupt'), 's3', 'steer'), 9, ['s1', 's2']);
    expect(order(ended)).toEqual(['i1', 's1', 's2', 's3', 'waiting']);
  });

  it('joins in numbers a log batch can hold; the others come a step later', () => {
    let state = recordTools(recordThought(running(), asks(5)), 8);
    for (let count = 0; count < maxSteering + 2; count += 1) state = send(state, `s${count}`, 'steer');
    const first = takeSteering(state);
    expect(first.current?.steering).toHaveLength(maxSteering);
    expect(takeSteering(recordTools(recordThought(first, asks(40)), 41)).current?.steering).toEqual([`s${maxSteering}`, `s${maxSteering + 1}`]);
  });

  it('that is cancelled before it is seen joins nothing', () => {
    const next = takeSteering(cancelTurn(send(running(), 's1', 'steer'), 's1'));
    expect(next.current?.steering).toBeUndefined();
    expect(nextAction(beginTurn(recordThought(next, says(5)), 0))).toMatchObject({ do: 'endTurn', turn: { turnId: 's1' }, end: { outcome: 'cancelled' } });
  });

  it('opens a turn when none runs', () => {
    expect(beginTurn(send(newSession, 's1', 'steer'), 0).current?.turnId).toBe('s1');
  });
});

describe('a message that interrupts', () => {
  it('ends the running turn, and runs next', () => {
    const interrupted = send(recordThought(running(), asks(5)), 'i1', 'interrupt');
    expect(nextAction(interrupted)).toMatchObject({ do: 'endTurn', turn: { turnId: 'running' }, end: { outcome: 'interrupted' } });
    expect(beginTurn(finishTurn(interrupted, 9), 0).current?.turnId).toBe('i1');
  });

  it('goes behind an interruption before it, and ahead of messages that steer', () => {
    const state = send(send(send(send(running(), 's1', 'steer'), 'i1', 'interrupt'), 'i2', 'interrupt'), 'last');
    expect(order(state)).toEqual(['i1', 'i2', 's1', 'waiting', 'last']);
  });

  it('leaves a turn as it ends that ends already', () => {
    const ending = send(cancelTurn(running(), undefined), 'i1', 'interrupt');
    expect(nextAction(ending)).toMatchObject({ do: 'endTurn', end: { outcome: 'cancelled' } });
  });

  it('runs next also when no turn runs but some wait', () => {
    const held = send(send(hold(newSession, 'turn', 0), 'waiting'), 'i1', 'interrupt');
    expect(order(held)).toEqual(['i1', 'waiting']);
  });

  it('ends the turn of a session that rests, and waits like every other', () => {
    const resting = rest(recordTools(hold(recordThought(running(), asks(5)), 'step', 0), 8), 10);
    const interrupted = send(resting, 'i1', 'interrupt');
    expect(nextAction(interrupted)).toMatchObject({ do: 'endTurn', end: { outcome: 'interrupted' } });
    expect(beginTurn(finishTurn(interrupted, 9), 0).current).toBeUndefined();
  });
});
