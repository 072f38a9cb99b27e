/** Has the work of each name done in the order it comes, one at a time; that of other names meanwhile. */
export function createQueues() {
  const queues = new Map<string, Promise<void>>();

  return <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const done = (queues.get(name) ?? Promise.resolve()).then(work);
    const leave = () => {
      if (queues.get(name) === over) queues.delete(name);
    };
    const over = done.then(leave, leave);
    queues.set(name, over);
    return done;
  };
}
