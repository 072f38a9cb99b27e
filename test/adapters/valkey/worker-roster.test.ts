import type { Valkey } from '../../../src/adapters/valkey/connection';
import { createWorkerRoster } from '../../../src/adapters/valkey/worker-roster';
import { codeOf } from '../../../src/contracts/errors';
import type { WorkerRoster } from '../../../src/ports/worker-roster';
import { Colleagues } from '../../../src/workers/colleagues';
import { connected, ownValkey, untilAnswers } from './own-valkey';

let server: Awaited<ReturnType<typeof ownValkey>>;
let processes: [Valkey, Valkey];
let rosters: [WorkerRoster, WorkerRoster];

beforeEach(async () => {
  server = await ownValkey();
  processes = [await connected(server.url), await connected(server.url)];
  rosters = [createWorkerRoster(processes[0]), createWorkerRoster(processes[1])];
});
afterEach(async () => {
  await Promise.all(processes.map((valkey) => valkey.close()));
  await server.end();
});

const [longMs, shortMs] = [60_000, 50] as const;

/** They come in no order. */
const inOrder = (workerIds: readonly string[]): string[] => [...workerIds].sort();
const enter = async (roster: WorkerRoster, workerId: string) => {
  const { workerIds, isNew } = await roster.enter(workerId, longMs);
  return { workerIds: inOrder(workerIds), isNew };
};

describe('the roster of worker processes', () => {
  it('has those that entered, and says who is new', async () => {
    const [one, other] = rosters;
    expect(await enter(one, 'a')).toEqual({ workerIds: ['a'], isNew: true });
    expect(await enter(other, 'b')).toEqual({ workerIds: ['a', 'b'], isNew: true });
    expect(await enter(one, 'a')).toEqual({ workerIds: ['a', 'b'], isNew: false });
  });

  it('loses those that leave, and those that do not say any more that they are there', async () => {
    const [one, other] = rosters;
    await one.enter('a', longMs);
    await other.enter('b', longMs);
    await other.leave('b');
    expect(await enter(one, 'a')).toEqual({ workerIds: ['a'], isNew: false });
    await other.enter('b', shortMs);
    while ((await one.enter('a', longMs)).workerIds.length > 1);
  });

  it('says that Valkey does not answer; leaving is then left to time', async () => {
    const [one] = rosters;
    server.server.kill('SIGKILL');
    expect(codeOf(await one.enter('a', longMs).catch((error: unknown) => error))).toBe('dependency/unavailable');
    await one.leave('a');
  });
});

describe('the colleagues of a worker process', () => {
  it('are those of before while Valkey is away, and when it comes back and remembers nobody', async () => {
    const colleagues = new Colleagues({ roster: rosters[0], workerId: 'a', absentAfterMs: longMs });
    await rosters[1].enter('b', longMs);
    expect(inOrder(await colleagues.look())).toEqual(['a', 'b']);
    await server.server.stop('SIGKILL');
    expect(inOrder(await colleagues.look())).toEqual(['a', 'b']);
    await server.server.start();
    await untilAnswers(processes[0]);
    expect(await rosters[0].enter('c', longMs)).toEqual({ workerIds: ['c'], isNew: true });
    expect(inOrder(await colleagues.look())).toEqual(['a', 'b', 'c']);
  });

  it('are forgotten when they have not come back for a while', async () => {
    const colleagues = new Colleagues({ roster: rosters[0], workerId: 'a', absentAfterMs: shortMs });
    await rosters[1].enter('b', longMs);
    expect(inOrder(await colleagues.look())).toEqual(['a', 'b']);
    await processes[1].commands.flushall();
    expect(inOrder(await colleagues.look())).toEqual(['a', 'b']);
    while ((await colleagues.look()).length > 1);
  });

  it('are none when nobody was ever heard of: a process that starts without Valkey serves all tenants', async () => {
    await server.server.stop('SIGKILL');
    expect(await new Colleagues({ roster: rosters[0], workerId: 'a', absentAfterMs: shortMs }).look()).toEqual(['a']);
  });
});
