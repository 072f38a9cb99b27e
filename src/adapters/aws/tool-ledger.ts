import { GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { tableKeys, tenantResources } from '../../contracts/names';
import type { CallProgress, CallRef, ToolLedger } from '../../ports/tool-ledger';
import { unlessRefused } from './failures';
import type { TenantAccess } from './tenant-access';

const Item = z.object({ state: z.enum(['begun', 'released', 'finished']), attempt: z.string(), resultAt: z.number().int().optional() });

/** One item of the tenant's table for each call. It holds no argument and no result: those are in the log. */
export function createToolLedger({ access }: { access: TenantAccess }): ToolLedger {
  const placeOf = ({ tenantId, sessionId, turnId, step, callId, undoId }: CallRef) => ({
    TableName: tenantResources(tenantId).table,
    Key: { pk: tableKeys.calls(sessionId), sk: tableKeys.call(turnId, step, callId, undoId) },
  });
  const tableOf = ({ tenantId }: CallRef) => access.clients(tenantId, 'session-step').table;

  async function itemOf(call: CallRef) {
    const { Item: found } = await tableOf(call).send(new GetCommand({ ...placeOf(call), ConsistentRead: true }));
    return found && Item.parse(found);
  }

  const progressOf = (item: z.output<typeof Item> | undefined): CallProgress | undefined => {
    if (!item || item.state === 'released') return undefined;
    return item.resultAt === undefined ? { state: 'begun' } : { state: 'finished', resultAt: item.resultAt };
  };

  async function set(call: CallRef, state: 'released' | 'finished', resultAt?: number): Promise<void> {
    await tableOf(call).send(
      new UpdateCommand({
        ...placeOf(call),
        UpdateExpression: `SET #state = :state, endedAt = :now${resultAt === undefined ? '' : ', resultAt = :resultAt'}`,
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: { ':state': state, ':now': new Date().toISOString(), ...(resultAt !== undefined && { ':resultAt': resultAt }) },
      }),
    );
  }

  return {
    async begin(call, attempt) {
      const { TableName, Key } = placeOf(call);
      const put = new PutCommand({
        TableName,
        Item: { ...Key, state: 'begun', attempt, tool: call.tool, begunAt: new Date().toISOString() },
        // Its own attempt may be there: the answer to the put was lost, and the client sent it again.
        ConditionExpression: 'attribute_not_exists(pk) OR #state = :released OR (#state = :begun AND attempt = :attempt)',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: { ':released': 'released', ':begun': 'begun', ':attempt': attempt },
      });
      return unlessRefused(
        tableOf(call).send(put).then(() => undefined),
        async () => progressOf(await itemOf(call)),
      );
    },
    release: (call) => set(call, 'released'),
    finish: (call, resultAt) => set(call, 'finished', resultAt),
    find: async (call) => progressOf(await itemOf(call)),
  };
}
