import { once } from 'node:events';
import { endingWith } from '../src/ending';
import { collectGarbage } from './support/collect-garbage';

const caller = () => new AbortController();

it('ends in time, whatever is collected meanwhile', async () => {
  const ending = endingWith([caller().signal], 200);
  const ended = once(ending.signal, 'abort');
  collectGarbage();
  // Its own time keeps no process alive.
  const alive = setTimeout(() => undefined, 20_000);
  await ended;
  clearTimeout(alive);
  expect([ending.isTimeUp, (ending.signal.reason as Error).name]).toEqual([true, 'TimeoutError']);
}, 20_000);

it('ends with the first of its callers, for the reason that one has', () => {
  const [first, second] = [caller(), caller()];
  const ending = endingWith([first.signal, undefined, second.signal], 60_000);
  expect(ending.signal.aborted).toBe(false);
  second.abort('the second left');
  first.abort('the first left');
  expect([ending.signal.reason, ending.isTimeUp]).toEqual(['the second left', false]);
});

it('has ended where a caller has left before', () => {
  expect(endingWith([AbortSignal.abort('gone')], 60_000).signal.reason).toBe('gone');
});

it('ends what is open when its block is left, and not what its callers do beside it', () => {
  const leaving = caller();
  const within = () => {
    using ending = endingWith([leaving.signal], 60_000);
    expect(ending.signal.aborted).toBe(false);
    return ending.signal;
  };
  expect([within().aborted, leaving.signal.aborted]).toEqual([true, false]);
});

it('counts its time anew when it is told to', () => {
  jest.useFakeTimers();
  const ending = endingWith([], 300);
  jest.advanceTimersByTime(200);
  ending.refresh();
  jest.advanceTimersByTime(200);
  expect(ending.isTimeUp).toBe(false);
  ending.refresh(1_000);
  jest.advanceTimersByTime(900);
  expect(ending.isTimeUp).toBe(false);
  jest.advanceTimersByTime(200);
  expect(ending.isTimeUp).toBe(true);
  jest.useRealTimers();
});

it('counts no time while it rests', () => {
  jest.useFakeTimers();
  const ending = endingWith([], 300);
  ending.rest();
  jest.advanceTimersByTime(60_000);
  expect(ending.isTimeUp).toBe(false);
  ending.refresh();
  jest.advanceTimersByTime(300);
  expect(ending.isTimeUp).toBe(true);
  jest.useRealTimers();
});
