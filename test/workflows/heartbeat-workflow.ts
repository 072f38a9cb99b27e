import { proxyActivities } from '@temporalio/workflow';

export interface HeartbeatActivities {
  work(): Promise<unknown>;
}

const { work } = proxyActivities<HeartbeatActivities>({ startToCloseTimeout: '1 minute', heartbeatTimeout: '5 seconds', retry: { initialInterval: '10 ms', maximumAttempts: 3 } });

/** One activity, three attempts at most. */
export const untilWorked = (): Promise<unknown> => work();
