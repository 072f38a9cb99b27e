import { patched } from '@temporalio/workflow';
import { rollUpUsage } from './lifecycle-activities';

/**
 * Counts what the hourly job has not come to yet, before the logs are gone that it would read. Figures hold nobody up: what could
 * not be counted is in the backup's logs. See docs/decisions/0114-the-last-use-is-counted.md.
 */
export async function countLastUse(run: { forgoable(name: 'count_usage', attempt: () => Promise<unknown>): Promise<void> }, tenantId: string): Promise<void> {
  if (patched('last-use-counted')) await run.forgoable('count_usage', () => rollUpUsage({ tenantId }));
}
