import type { BackupSummary } from '../../contracts/backup';
import { apiPath } from '../access';
import { command, type GroupSpec, shared } from '../command';
import { startOperation, type Waiting } from '../progress/run';
import { confirmDestruction, type Confirmation } from '../terminal/confirm';
import { type Column, minuteOf, sizeOf, timeOf } from '../terminal/table';

const recordsOf = ({ records }: BackupSummary): number => Object.values(records).reduce((sum, count) => sum + count, 0);

const columns: readonly Column<BackupSummary>[] = [
  { title: 'backup', of: ({ backupId }) => backupId },
  { title: 'taken', of: ({ createdAt }) => minuteOf(createdAt) },
  { title: 'why', of: ({ reason }) => reason },
  { title: 'size', of: ({ storedBytes }) => sizeOf(storedBytes) },
  { title: 'records', of: recordsOf },
  { title: 'verified', of: ({ verification }) => minuteOf(verification?.verifiedAt) ?? 'not yet' },
];

const pathOf = (tenantId: string, backupId: string) => apiPath`/tenants/${tenantId}/backups/${backupId}`;

export const backupCommands: GroupSpec = {
  name: 'backup',
  summary: 'take, verify and delete backups of a tenant; "tenant restore" brings one back',
  commands: [
    command<Waiting>({
      usage: 'create <tenantId>',
      summary: 'take a backup now, and verify it',
      options: [shared.noWait],
      run: (cli, options, tenantId: string) => startOperation(cli, apiPath`/tenants/${tenantId}/backups`, { method: 'POST', body: {} }, options),
    }),
    command<{ limit?: number }>({
      usage: 'list <tenantId>',
      summary: 'list the backups of a tenant, newest first; also of one that has left',
      options: [shared.limit],
      async run(cli, { limit }, tenantId: string) {
        cli.out.list(await (await cli.operator()).all<BackupSummary>(apiPath`/tenants/${tenantId}/backups`, {}, limit), columns, 'There are none.');
      },
    }),
    command({
      usage: 'show <tenantId> <backupId>',
      summary: 'show what a backup holds',
      async run(cli, _options, tenantId: string, backupId: string) {
        const backup = await (await cli.operator()).call<BackupSummary>(pathOf(tenantId, backupId));
        const { createdAt, reason, format, bytes, storedBytes, records, verification } = backup;
        const facts = { backup: backupId, tenant: backup.tenantId, taken: timeOf(createdAt), why: reason, format, size: `${sizeOf(storedBytes)} (plain ${sizeOf(bytes)})` };
        const verified = verification ? `${timeOf(verification.verifiedAt) ?? ''} by ${verification.verifiedBy}` : 'not yet';
        cli.out.result(backup, () => cli.out.facts({ ...facts, verified, ...records }));
      },
    }),
    command<Waiting>({
      usage: 'verify <tenantId> <backupId>',
      summary: 'read a backup back, and compare counts and hashes',
      options: [shared.noWait],
      run: (cli, options, tenantId: string, backupId: string) => startOperation(cli, `${pathOf(tenantId, backupId)}/verify`, { method: 'POST', body: {} }, options),
    }),
    command<Confirmation>({
      usage: 'delete <tenantId> <backupId>',
      summary: 'delete a backup for good',
      options: [shared.yes, shared.confirm],
      async run(cli, confirmation, tenantId: string, backupId: string) {
        await confirmDestruction(`This deletes the backup ${backupId} of ${tenantId} for good.`, tenantId, confirmation);
        await (await cli.operator()).call(pathOf(tenantId, backupId), { method: 'DELETE' });
        cli.out.result({ backupId }, () => 'It is deleted.');
      },
    }),
  ],
};
