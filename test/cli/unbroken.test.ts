import type { EventSourceMessage } from 'eventsource-parser';
import { ApiUnreachable } from '../../src/cli/api-client';
import { type Opening, unbroken } from '../../src/cli/unbroken';

// The clock alone is faked: what waits, waits.
beforeEach(() => jest.useFakeTimers({ doNotFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'setInterval', 'clearInterval', 'nextTick', 'queueMicrotask'] }));
afterEach(() => jest.useRealTimers());

/** The id of an event, or what happens instead. */
type Step = number | ((opening: Opening) => void);

const breaks = () => {
  throw new ApiUnreachable('http://api.example.com', new Error('it restarts'));
};
const comment = ({ onComment }: Opening) => onComment();
const minutes = (count: number) => () => jest.advanceTimersByTime(count * 60_000);

/** A stream that does these steps, each time it is opened; the last ones stay. */
function scripted(...openings: readonly (readonly Step[])[]) {
  const cursors: (string | undefined)[] = [];
  const open = async function* (opening: Opening): AsyncGenerator<EventSourceMessage> {
    const steps = await Promise.resolve(openings[Math.min(cursors.length, openings.length - 1)] ?? []);
    cursors.push(opening.headers['last-event-id']);
    for (const step of steps) {
      if (typeof step === 'number') yield { id: String(step), event: undefined, data: '' };
      else step(opening);
    }
  };
  /** Behind which event it was opened, each time. */
  return { open, cursors };
}

async function idsOf(events: AsyncGenerator<EventSourceMessage>, count: number): Promise<(string | undefined)[]> {
  const ids: (string | undefined)[] = [];
  for await (const { id } of events) if (ids.push(id) === count) break;
  return ids;
}

it('is opened again behind the event seen last, whether it broke or ended', async () => {
  const { open, cursors } = scripted([1, 2], [3, breaks], [4]);
  expect(await idsOf(unbroken(open), 4)).toEqual(['1', '2', '3', '4']);
  expect(cursors).toEqual([undefined, '2', '3']);
});

it('goes on with an API that had nothing to say for long before it was away for a moment', async () => {
  const { open } = scripted([1, minutes(11), breaks], [comment, minutes(11), breaks], [2]);
  expect(await idsOf(unbroken(open), 2)).toEqual(['1', '2']);
});

it('does not count the time in which nobody asks for the next event', async () => {
  const events = unbroken(scripted([1, breaks], [2]).open);
  expect((await events.next()).value).toMatchObject({ id: '1' });
  minutes(11)();
  expect((await events.next()).value).toMatchObject({ id: '2' });
  await events.return(undefined);
});

it('gives up on an API that is away for ten minutes', async () => {
  const { open, cursors } = scripted([1], [minutes(4), breaks]);
  await expect(idsOf(unbroken(open), 2)).rejects.toThrow(ApiUnreachable);
  expect(cursors).toHaveLength(5);
});

it('tells an outage once, and none that was over when the stream was opened again', async () => {
  let told = 0;
  const { open } = scripted([1, breaks], [2, breaks], [breaks], [breaks], [3, breaks], [breaks], [4]);
  expect(await idsOf(unbroken(open, { onTrouble: () => (told += 1) }), 4)).toEqual(['1', '2', '3', '4']);
  expect(told).toBe(2);
});

it('tells that an outage it told of is over, be it by an event or a comment', async () => {
  const told: string[] = [];
  const following = { onTrouble: () => told.push('trouble'), onRecovery: () => told.push('recovery') };
  const { open } = scripted([1, breaks], [2, breaks], [breaks], [comment, breaks], [breaks], [3]);
  expect(await idsOf(unbroken(open, following), 3)).toEqual(['1', '2', '3']);
  expect(told).toEqual(['trouble', 'recovery', 'trouble', 'recovery']);
});

it('asks a server that ends the stream without an event more and more seldom', async () => {
  jest.useRealTimers();
  const askedAtMs: number[] = [];
  const ask = () => void askedAtMs.push(performance.now());
  expect(await idsOf(unbroken(scripted([ask], [ask], [ask], [ask], [1]).open), 1)).toEqual(['1']);
  const [first = 0, , , last = 0] = askedAtMs;
  // 0.3, 0.6 and 1.2 s; timers may be early by one.
  expect(last - first).toBeGreaterThanOrEqual(2_090);
});
