import type { SessionRef } from '../../contracts/session';

/** Has the work of each session done in the order it comes, one at a time; that of other sessions meanwhile. */
export function createSessionQueues() {
  const queues = new Map<string, Promise<void>>();

  return <T>({ tenantId, sessionId }: SessionRef, work: () => Promise<T>): Promise<T> => {
    const name = `${tenantId}/${sessionId}`;
    const done = (queues.get(name) ?? Promise.resolve()).then(work);
    const leave = () => {
      if (queues.get(name) === over) queues.delete(name);
    };
    const over = done.then(leave, leave);
    queues.set(name, over);
    return done;
  };
}
