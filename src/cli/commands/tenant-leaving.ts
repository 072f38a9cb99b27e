import { writeFile } from 'node:fs/promises';
import type { BackupSummary } from '../../contracts/backup';
import type { DeletionCertificate, SignedCertificate } from '../../contracts/certificate';
import { DrainPolicy, type OperationSummary } from '../../contracts/operation';
import { apiPath, withQuery } from '../access';
import type { Cli } from '../cli';
import { command, type CommandSpec, parseSeconds, shared } from '../command';
import { CliFailure, exitCodes } from '../failures';
import { startOperation, type Waiting, watchToEnd } from '../progress/run';
import { confirmDestruction, type Confirmation } from '../terminal/confirm';
import { type Column, minuteOf, shortArn, timeOf } from '../terminal/table';

interface Offboard extends Waiting, Confirmation {
  readonly grace?: number;
  readonly drainPolicy?: string;
  readonly drainSeconds?: number;
  readonly skipRehearsal?: true;
  readonly deleteHistories?: true;
  readonly withoutBackup?: string;
}

const offboard = command<Offboard>({
  usage: 'offboard <tenantId>',
  summary: 'back a tenant up, verify the backup, and delete everything it has',
  options: [
    { flags: '--grace <time>', description: 'time between backup and deletion, in which it can be called off; 7d when absent', parse: parseSeconds },
    { flags: '--drain-policy <policy>', description: 'whether running turns may finish, or are cancelled at once; wait when absent', choices: DrainPolicy.options },
    { flags: '--drain-seconds <time>', description: 'how long they may take with wait; 5m when absent', parse: parseSeconds },
    { flags: '--skip-rehearsal', description: 'delete without having restored the backup on trial' },
    { flags: '--delete-histories', description: 'delete what closed sessions left in Temporal, too' },
    { flags: '--without-backup <reason>', description: 'only when its key is lost: what it has is given up. Confirmed by "<tenantId> without backup"' },
    shared.yes,
    shared.confirm,
    shared.noWait,
  ],
  examples: ['tenure tenant offboard acme --grace 0', 'tenure tenant offboard acme --grace 7d --no-wait --yes --confirm acme'],
  async run(cli, { grace, drainPolicy, drainSeconds, skipRehearsal, deleteHistories, withoutBackup, wait, ...confirmation }, tenantId: string) {
    const { apiUrl } = await cli.target();
    if (withoutBackup === undefined) await confirmDestruction(`This deletes everything ${tenantId} has at ${apiUrl}, after a verified backup.`, tenantId, confirmation);
    else await confirmDestruction(`This deletes everything ${tenantId} has at ${apiUrl}, WITHOUT a backup. ${await lastBackupOf(cli, tenantId)}`, `${tenantId} without backup`, confirmation);
    const asked = {
      graceSeconds: grace?.toString(),
      drainPolicy,
      drainSeconds: drainSeconds?.toString(),
      skipRehearsal: skipRehearsal?.toString(),
      deleteHistories: deleteHistories?.toString(),
      ...(withoutBackup !== undefined && { withoutBackup: 'true', reason: withoutBackup }),
    };
    await startOperation(cli, withQuery(apiPath`/tenants/${tenantId}`, asked), { method: 'DELETE' }, { ...(wait !== undefined && { wait }) });
  },
});

/** What is left to whoever gives up the rest. */
async function lastBackupOf(cli: Cli, tenantId: string): Promise<string> {
  const [last] = await (await cli.operator()).all<BackupSummary>(apiPath`/tenants/${tenantId}/backups`, {}, 1);
  return last ? `What will be left is the backup ${last.backupId} of ${last.createdAt}.` : 'There is no earlier backup either: nothing of it will be left.';
}

const keep = command<Waiting>({
  usage: 'keep <tenantId>',
  summary: 'call an offboarding off while nothing is deleted yet: the tenant goes back to work',
  options: [shared.noWait],
  async run(cli, { wait = true }, tenantId: string) {
    const access = await cli.operator();
    const [running] = await access.all<OperationSummary>('/api/v1/operations', { tenantId, kind: 'offboarding', state: 'running' }, 1);
    if (!running) throw new CliFailure(exitCodes.notFound, `${tenantId} is not being offboarded.`, `See what it is: tenure tenant show ${tenantId}`);
    const operation = await access.call(apiPath`/operations/${running.operationId}/cancel`, { method: 'POST' });
    if (wait) return watchToEnd(cli, access, running.operationId, undefined, ['cancelled']);
    cli.out.result(operation, () => running.operationId);
  },
});

const certificate = command<{ html?: true; out?: string }>({
  usage: 'certificate <tenantId>',
  summary: 'show what was deleted of a tenant, when, and how that was checked',
  options: [
    { flags: '--html', description: 'as the page to hand out' },
    { flags: '--out <file>', description: 'write it to a file, whole: as it was signed' },
  ],
  examples: ['tenure tenant certificate acme --out acme.json && tenure certificate verify acme.json'],
  async run(cli, { html, out: file }, tenantId: string) {
    const text = await (await cli.operator()).text(apiPath`/tenants/${tenantId}/certificate`, html ? 'text/html' : 'application/json');
    const whole = html ? text : JSON.stringify(JSON.parse(text), null, 2);
    if (file === undefined) {
      const isForReading = !html && !cli.out.json;
      cli.out.write(`${isForReading ? certificateText(cli, JSON.parse(text) as SignedCertificate) : whole}\n`);
      return;
    }
    await writeFile(file, `${whole}\n`);
    cli.out.note(`Written to ${file}`);
  },
});

const resourceColumns: readonly Column<DeletionCertificate['resources'][number]>[] = [
  { title: 'service', of: ({ service }) => service },
  { title: 'type', of: ({ type }) => type },
  { title: 'now', of: ({ outcome }) => outcome },
  { title: 'name', of: ({ name }) => shortArn(name) },
];

const keptColumns: readonly Column<DeletionCertificate['kept'][number]>[] = [
  { title: 'until', of: ({ until }) => minuteOf(until) },
  { title: 'kept', of: ({ what, why }) => `${what}: ${why}` },
];

/** What a person wants to know of it first; --json and --html have it whole. */
function certificateText({ out }: Cli, { certificate, key }: SignedCertificate): string {
  const { tenantId, displayName, operationId, requestedAt, issuedAt, resources, backup, rehearsal, kept } = certificate;
  const facts = {
    ...{ tenant: tenantId, name: displayName, offboarding: operationId, 'asked for': timeOf(requestedAt), issued: timeOf(issuedAt), 'signed with': key.kid },
    backup: 'backupId' in backup ? `${backup.backupId}, ${backup.records} records, verified ${timeOf(backup.verifiedAt) ?? ''}` : `none: ${backup.reason}`,
    'restored on trial': rehearsal.outcome === 'passed' ? timeOf(rehearsal.finishedAt) : `no: ${rehearsal.reason}`,
  };
  return [out.facts(facts), '', out.table(resources, resourceColumns), '', out.table(kept, keptColumns), '', `Check it: tenure tenant certificate ${tenantId} --out ${tenantId}.json && tenure certificate verify ${tenantId}.json`].join('\n');
}

/** From the decision to let a tenant go to the proof that it is gone. */
export const leavingCommands: readonly CommandSpec[] = [offboard, keep, certificate];
