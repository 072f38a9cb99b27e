import type { Client } from '@temporalio/client';
import { tenantOfWork } from '../../contracts/names';

const pageSize = 1_000;

/** Ids of schedules, asked for alone: the SDK's own list decrypts every schedule's memo. Temporal's list lags behind by moments. */
export async function listScheduleIds(client: Client, query = ''): Promise<string[]> {
  const { namespace } = client.options;
  const ids: string[] = [];
  for (let nextPageToken: Uint8Array = new Uint8Array(), isFirst = true; isFirst || nextPageToken.length > 0; isFirst = false) {
    const page = await client.workflowService.listSchedules({ namespace, query, maximumPageSize: pageSize, nextPageToken });
    ids.push(...page.schedules.flatMap(({ scheduleId }) => scheduleId ?? []));
    nextPageToken = page.nextPageToken;
  }
  return ids;
}

/** @param beginning - of the ids, behind the tenant's. */
export const listScheduleIdsOf = async (client: Client, tenantId: string, beginning = ''): Promise<string[]> =>
  (await listScheduleIds(client, `ScheduleId STARTS_WITH "${tenantId}/${beginning}"`)).filter((id) => tenantOfWork(id) === tenantId);
