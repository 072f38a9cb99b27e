import { Context } from '@temporalio/activity';

/** Answers on a tenant's own queue: that it runs at all proves that a worker serves the tenant. */
export const createHandshakeActivity = () => ({
  /** @returns the queue it was answered on. */
  handshake: (): Promise<{ taskQueue: string }> => Promise.resolve({ taskQueue: Context.current().info.taskQueue }),
});

export type HandshakeActivities = ReturnType<typeof createHandshakeActivity>;
