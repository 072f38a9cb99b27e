import { setImmediate as nextTick } from 'node:timers/promises';
import { inParallel } from '../../src/domain/in-parallel';

/** Does what it is told when it is told. */
class Desk {
  readonly begun: number[] = [];
  private readonly ends = new Map<number, { resolve: (value: string) => void; reject: (error: Error) => void }>();

  readonly act = (item: number): Promise<string> => {
    this.begun.push(item);
    return new Promise((resolve, reject) => this.ends.set(item, { resolve, reject }));
  };

  async end(item: number, error?: Error): Promise<void> {
    const { resolve, reject } = this.ends.get(item) ?? {};
    if (error) reject?.(error);
    else resolve?.(`done ${item}`);
    await nextTick();
  }
}

describe('what is done in parallel', () => {
  it('is no more at once than asked for, and comes back in the order of the items', async () => {
    const desk = new Desk();
    const all = inParallel([1, 2, 3, 4], 2, desk.act);
    expect(desk.begun).toEqual([1, 2]);
    await desk.end(2);
    expect(desk.begun).toEqual([1, 2, 3]);
    await desk.end(3);
    await desk.end(4);
    await desk.end(1);
    expect(await all).toEqual(['done 1', 'done 2', 'done 3', 'done 4']);
  });

  it('is over when what runs has ended, once something failed, and nothing else begins', async () => {
    const desk = new Desk();
    let over = false;
    const all = inParallel([1, 2, 3], 2, desk.act).finally(() => (over = true));
    const failed = expect(all).rejects.toThrow('first');
    await desk.end(1, new Error('first'));
    expect([over, desk.begun]).toEqual([false, [1, 2]]);
    await desk.end(2, new Error('second'));
    await failed;
    expect(desk.begun).toEqual([1, 2]);
  });

  it('is nothing when there is nothing', async () => {
    expect(await inParallel([], 3, () => Promise.reject(new Error('never')))).toEqual([]);
  });
});
