import { setCurrentDetails, sleep, uuid4 } from '@temporalio/workflow';
import { codeOf } from '../contracts/errors';
import type { TenantJobInput } from '../contracts/maintenance';
import type { Operation } from '../contracts/operation';
import { runOperation, uniqueOf } from './child-operation';
import { pruneBackups, whyNoBackup } from './maintenance-activities';

/** What a night did for a tenant. */
export type NightlyBackup =
  /** Why there was none. */
  | { readonly leftOut: string }
  | { readonly operationId: string; readonly backupId: string; readonly deleted: readonly string[] };

/** Another operation works on the tenant: it is waited for, for some hours; then the next night does it. */
const busyPauseMs = 10 * 60_000;
const busyPauses = 24;

/** Backs the tenant up by the operation an operator would use, reads it back, and deletes backups the retention rule does not keep. */
export async function nightlyBackup({ tenantId }: TenantJobInput): Promise<NightlyBackup> {
  for (let pauses = 0; ; pauses += 1) {
    const { why } = await whyNoBackup({ tenantId });
    if (why !== undefined) return leaveOut(why);
    const operation = await backUp(tenantId, pauses < busyPauses);
    if (operation === 'busy') {
      setCurrentDetails('Another operation works on the tenant: waiting for it.');
      await sleep(busyPauseMs);
    } else if (operation.state === 'completed' && operation.backupId !== undefined) return await prune(operation, operation.backupId);
    else return leaveOut(`operation ${operation.operationId} was called off`);
  }
}

/** Each attempt is an operation of its own: one that was refused stays so. */
async function backUp(tenantId: string, mayWait: boolean): Promise<Operation | 'busy'> {
  setCurrentDetails('Backing up: see the child workflow.');
  try {
    return await runOperation('backup', { tenantId, reason: 'scheduled' }, uniqueOf(uuid4()));
  } catch (error) {
    if (mayWait && codeOf(error) === 'tenant/busy') return 'busy';
    throw error;
  }
}

async function prune({ operationId, tenantId }: Operation, backupId: string): Promise<NightlyBackup> {
  const { deleted } = await pruneBackups({ tenantId });
  setCurrentDetails(`**${backupId}** taken and verified by operation \`${operationId}\`. ${deleted.length === 0 ? 'No backup was too old.' : `Deleted, as the retention rule has it: ${deleted.join(', ')}.`}`);
  return { operationId, backupId, deleted };
}

function leaveOut(leftOut: string): NightlyBackup {
  setCurrentDetails(`Left out: ${leftOut}.`);
  return { leftOut };
}
