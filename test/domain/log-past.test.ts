import { pastOf, stateOf } from '../../src/domain/log-past';
import { beginTurn, newSession, pickUp, receive } from '../../src/domain/session';

async function* batches(...rows: [key: string, count: number][]) {
  let firstSeq = 1;
  for (const [key, count] of rows) {
    yield await Promise.resolve({ firstSeq, count, key });
    firstSeq += count;
  }
}

const twoTurns = () => batches(['t1/1/started', 3], ['t1/1/completed', 3], ['t2/queued', 1], ['t2/1/completed', 4]);

it('finds in the keys of a log where its turns began, and how many there were', async () => {
  const past = await pastOf(twoTurns());
  expect(past).toEqual({ head: 11, turnCount: 2, turns: [{ turnId: 't1', after: 0 }, { turnId: 't2', after: 7 }], queuedAt: [7], isClosed: false });
});

it('takes a session up with its past behind it, and the message that woke it', async () => {
  const woken = beginTurn(receive(newSession, 't3'), 0);
  const state = pickUp(woken, stateOf(await pastOf(twoTurns()), 11));
  expect(state).toMatchObject({ head: 11, turnCount: 2, turnStarts: [0, 7, 11], current: { turnId: 't3' } });
  expect(state.seen.map(([turnId]) => turnId)).toEqual(['t1', 't2', 't3']);
});

it('does not answer a message again that was answered before the restore', async () => {
  const woken = beginTurn(receive(newSession, 't2'), 0);
  expect(pickUp(woken, stateOf(await pastOf(twoTurns()), 11)).current).toBeUndefined();
});

it('finds the last summary of the history, for a session that was restored or forked', async () => {
  const past = await pastOf(batches(['t1/1/completed', 5], ['t2/1/started', 2], ['t2/1/compacted/4', 2], ['t2/1/restarted', 1], ['t2/1/completed', 3]));
  expect(past).toMatchObject({ head: 13, turnCount: 2, compaction: { at: 8, upTo: 4 } });
  expect(pickUp(beginTurn(receive(newSession, 't3'), 0), stateOf(past, past.head))).toMatchObject({ compaction: { at: 8, upTo: 4 } });
});

it('does not take the note of a fork for a turn', async () => {
  expect(await pastOf(batches(['t1/1/completed', 5], ['session/forked', 1]))).toMatchObject({ head: 6, turnCount: 1, isClosed: false });
});

it('closes a session again that was closed, where its log says so', async () => {
  const past = await pastOf(batches(['t1/1/completed', 5], ['session/closed', 1]));
  expect(pickUp(beginTurn(receive(newSession, 't2'), 0), stateOf(past, past.head))).toMatchObject({
    head: 5,
    closing: true,
    current: { turnId: 't2', end: { outcome: 'cancelled', code: 'session/closed' } },
  });
  expect(pickUp(beginTurn(receive(newSession, 't1'), 0), stateOf(past, past.head)).current).toBeUndefined();
});
