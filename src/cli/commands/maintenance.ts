import type { ProbeAttempt, ProbeResult } from '../../contracts/isolation';
import type { MaintenanceReport, MaintenanceView } from '../../contracts/maintenance';
import { apiPath, withQuery } from '../access';
import { collect, command, type GroupSpec, type OptionSpec, shared } from '../command';
import { awayOf, type Column, durationOf, timeOf } from '../terminal/table';

interface Owner {
  readonly tenant?: string;
}

const ofTenant: OptionSpec = { flags: '--tenant <tenantId>', description: "of this tenant; the platform's when absent" };
const because: OptionSpec = { flags: '--reason <text>', description: 'why; others read it', required: true };

const columns: readonly Column<MaintenanceView>[] = [
  { title: 'job', of: ({ name }) => name },
  { title: 'state', of: ({ paused, lastRun }) => (paused ? 'paused' : lastRun?.outcome === 'running' ? 'running' : 'on') },
  { title: 'next run', of: ({ nextRunAt, paused }) => (paused ? undefined : awayOf(nextRunAt)) },
  { title: 'last run', of: ({ lastRun }) => awayOf(lastRun?.startedAt) },
  { title: 'ended', of: ({ lastRun }) => lastRun?.outcome },
  { title: 'found', of: ({ lastReport }) => lastReport?.findings },
  { title: 'what it does', of: ({ paused, note, summary }) => (paused ? note : summary) },
];

const list = command<Owner>({
  usage: 'list',
  summary: 'list what runs by the clock, and how it went the last time',
  options: [ofTenant],
  async run(cli, { tenant }) {
    const { data } = await (await cli.operator()).call<{ data: MaintenanceView[] }>(withQuery('/api/v1/maintenance', { tenantId: tenant }));
    cli.out.list(data, columns, tenant === undefined ? 'There is none: the platform has not been set up.' : `${tenant} has none: it does not exist, or has left.`);
  },
});

interface Steer extends Owner {
  readonly reason: string;
}

/** Something a job is told. */
const tellJob = (verb: 'run' | 'pause' | 'resume', summary: string, done: (job: string, tenant?: string) => string, options: readonly OptionSpec[] = [], body: (options: Record<string, unknown>) => object = () => ({})) =>
  command<Steer & Record<string, unknown>>({
    usage: `${verb} <job>`,
    summary,
    options: [ofTenant, because, ...options],
    async run(cli, { tenant, reason, ...rest }, job: string) {
      const request = { method: 'POST', body: { reason, ...(tenant !== undefined && { tenantId: tenant }), ...body(rest) } } as const;
      const view = await (await cli.operator()).call<MaintenanceView>(`${apiPath`/maintenance/${job}`}/${verb}`, request);
      cli.out.result(view, () => done(job, tenant));
    },
  });

const reports = command<{ limit?: number; details?: true }>({
  usage: 'reports <job>',
  summary: "list what the runs of one of the platform's jobs found, newest first",
  options: [{ flags: '--details', description: 'with each finding' }, shared.limit],
  async run(cli, { limit = 20, details }, job: string) {
    const all = await (await cli.operator()).all<MaintenanceReport>(apiPath`/maintenance/${job}/reports`, {}, limit);
    if (details !== true || cli.out.json) {
      cli.out.list(all, reportColumns, 'There are none yet.');
      return;
    }
    for (const { startedAt, outcome, findings } of all) {
      cli.out.write(`${cli.out.paint('bold', `${timeOf(startedAt) ?? ''}  ${outcome}`)}\n`);
      if (findings.length > 0) cli.out.write(`${cli.out.table(findings, findingColumns)}\n`);
    }
  },
});

const isolation = command({
  usage: 'isolation <tenantId>',
  summary: "show the tenant's last isolation probe: each attempt to get at another tenant, and what answered",
  async run(cli, _options, tenantId: string) {
    const result = await (await cli.operator()).call<ProbeResult>(apiPath`/tenants/${tenantId}/isolation`);
    cli.out.result(result, () => `${tenantId} tried to get at ${result.otherTenantId}, ${timeOf(result.probedAt) ?? ''}\n${cli.out.table(result.attempts, attemptColumns)}`);
  },
});

const attemptColumns: readonly Column<ProbeAttempt>[] = [
  { title: 'answer', of: ({ answer }) => answer.replace('_', ' ') },
  { title: 'kind', of: ({ kind }) => kind },
  { title: 'what', of: ({ what }) => what },
  { title: 'why', of: ({ why }) => why },
];

const reportColumns: readonly Column<MaintenanceReport>[] = [
  { title: 'started', of: ({ startedAt }) => timeOf(startedAt) },
  { title: 'took', of: ({ startedAt, finishedAt }) => durationOf(Date.parse(finishedAt) - Date.parse(startedAt)) },
  { title: 'outcome', of: ({ outcome }) => outcome },
  { title: 'tenants', of: ({ tenants }) => tenants },
  { title: 'findings', of: ({ findings, omitted }) => findings.length + omitted },
];

const findingColumns: readonly Column<MaintenanceReport['findings'][number]>[] = [
  { title: '  kind', of: ({ kind }) => `  ${kind}` },
  { title: 'tenant', of: ({ tenantId }) => tenantId },
  { title: 'repair', of: ({ repair }) => repair },
  { title: 'subject', of: ({ subject }) => subject },
  { title: 'message', of: ({ message }) => message },
];

export const maintenanceCommands: GroupSpec = {
  name: 'maintenance',
  summary: 'see and steer what runs by the clock',
  commands: [
    list,
    tellJob(
      'run',
      'run a job now, whether it is paused or not',
      // Only the platform's jobs write reports.
      (job, tenant) => `It runs. See what comes of it: tenure maintenance ${tenant === undefined ? `reports ${job}` : `list --tenant ${tenant}`}`,
      [
        { flags: '--repair', description: 'repair what can be repaired without losing anything' },
        { flags: '--destroy <tenantId>', description: 'delete this orphan with everything it owns; may be repeated', parse: collect },
        { flags: '--only <tenantId>', description: 'look at this tenant only; may be repeated', parse: collect },
      ],
      ({ repair, destroy, only }) => ({ ...(repair === true && { repair }), ...(destroy !== undefined && { destroy }), ...(only !== undefined && { tenantIds: only }) }),
    ),
    tellJob('pause', 'pause a job until it is resumed', () => 'It is paused.'),
    tellJob('resume', 'let a job run by the clock again', () => 'It runs by the clock again.'),
    reports,
    isolation,
  ],
};
