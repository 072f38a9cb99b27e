import type { ScheduledRun, ScheduleSettings } from '../../contracts/schedule';
import { wordsOf } from '../../domain/schedules';
import { apiPath } from '../access';
import type { Cli } from '../cli';
import { command, type CommandSpec, type GroupSpec, parseCount, parseSeconds, shared } from '../command';
import { CliFailure, exitCodes } from '../failures';
import { type Column, minuteOf, printable, timeOf } from '../terminal/table';
import { access, type AsUser } from './as-user';

interface Schedule extends ScheduleSettings {
  readonly name: string;
  readonly state: string;
  readonly note?: string;
  readonly nextRunAt?: string;
  readonly userId: string;
  readonly prompt?: string;
}

const pathOf = (tenantId: string, name: string) => apiPath`/tenants/${tenantId}/schedules/${name}`;

const columns: readonly Column<Schedule>[] = [
  { title: 'schedule', of: ({ name }) => name },
  { title: 'state', of: ({ state }) => state },
  { title: 'next run', of: ({ nextRunAt }) => timeOf(nextRunAt) },
  { title: 'times', of: ({ times }) => wordsOf(times) },
  { title: 'agent', of: ({ agent }) => agent },
  { title: 'session', of: ({ sessionId }) => sessionId ?? 'new' },
];

const runColumns: readonly Column<ScheduledRun>[] = [
  { title: 'started', of: ({ startedAt }) => timeOf(startedAt) },
  { title: 'planned', of: ({ plannedAt }) => minuteOf(plannedAt) ?? 'by hand' },
  { title: 'outcome', of: ({ outcome }) => outcome },
  { title: 'session', of: ({ sessionId }) => sessionId },
  { title: 'why', of: ({ message }) => message && printable(message) },
];

function show(cli: Cli, schedule: Schedule): void {
  const { name, state, note, nextRunAt, times, agent, sessionId, overlap, catchUpSeconds, jitterSeconds, userId, prompt } = schedule;
  const facts = { schedule: name, state, note, 'next run': timeOf(nextRunAt), times: wordsOf(times), agent: agent ?? "the tenant's own", session: sessionId ?? 'a new one each time', overlap };
  cli.out.result(schedule, () => cli.out.facts({ ...facts, 'catches up': `${catchUpSeconds} s`, jitter: `${jitterSeconds} s`, user: userId, prompt: prompt && printable(prompt) }));
}

interface Saying {
  readonly cron?: string;
  readonly every?: number;
  readonly at?: string;
  readonly timeZone?: string;
  readonly agent?: string;
  readonly session?: string;
  readonly overlap?: string;
  readonly catchUp?: number;
  readonly jitter?: number;
}

const saying = [
  { flags: '--cron <expression>', description: 'five fields: minute, hour, day of month, month, day of week' },
  { flags: '--every <time>', description: 'such as 15m, 12h', parse: parseSeconds },
  { flags: '--at <time>', description: 'once: 2026-12-24T18:00:00, in the time zone, or with an offset' },
  { flags: '--time-zone <name>', description: 'such as Europe/Berlin; UTC when absent' },
  { flags: '--agent <agent>', description: "such as support or support@3; the tenant's own when absent" },
  { flags: '--session <id>', description: 'the session every run goes on in; a new one each time when absent' },
  { flags: '--overlap <what>', description: 'when the run before is under way: leave it out, or one waits', choices: ['skip', 'queue'] },
  { flags: '--catch-up <time>', description: 'make up for a missed run that is no older', parse: parseSeconds },
  { flags: '--jitter <seconds>', description: 'begin at random within so many seconds', parse: (text: string) => (text === '0' ? 0 : parseSeconds(text)) },
  shared.user,
] as const;

/** One of the three says when; what does not go with it would be left out in silence. */
function mustSayWhen({ cron, every, at, timeZone }: Saying): void {
  if ([cron, every, at].filter((one) => one !== undefined).length !== 1) throw new CliFailure(exitCodes.usage, 'Say when it runs: one of --cron, --every and --at.');
  if (every !== undefined && timeZone !== undefined) throw new CliFailure(exitCodes.usage, 'A --time-zone goes with --cron or --at: --every is as long everywhere.');
}

const bodyOf = ({ cron, every, at, timeZone, agent, session, overlap, catchUp, jitter }: Saying): object => ({
  times: every !== undefined ? { everySeconds: every } : { ...(at !== undefined ? { at } : { cron: cron ?? '' }), ...(timeZone !== undefined && { timeZone }) },
  ...(agent !== undefined && { agent }),
  ...(session !== undefined && { sessionId: session }),
  ...(overlap !== undefined && { overlap }),
  ...(catchUp !== undefined && { catchUpSeconds: catchUp }),
  ...(jitter !== undefined && { jitterSeconds: jitter }),
});

const create = command<AsUser & Saying>({
  usage: 'create <tenantId> <name> <prompt>',
  summary: 'have an agent given a prompt by the clock, in your name',
  options: saying,
  examples: ['tenure schedule create acme morning "What is new?" --cron "30 7 * * 1-5" --time-zone Europe/Berlin --agent support'],
  async run(cli, { user, ...said }, tenantId: string, name: string, prompt: string) {
    mustSayWhen(said);
    const body = { name, prompt, ...bodyOf(said) };
    show(cli, await (await access(cli, tenantId, { user })).call<Schedule>(apiPath`/tenants/${tenantId}/schedules`, { method: 'POST', body }));
  },
});

const update = command<AsUser & Saying & { prompt?: string }>({
  usage: 'update <tenantId> <name>',
  summary: 'change when and how a schedule of yours runs; the prompt stays, other options that are left out have their defaults',
  options: [{ flags: '--prompt <text>', description: 'another prompt' }, ...saying],
  examples: ['tenure schedule update acme morning --cron "0 8 * * 1-5" --time-zone Europe/Berlin --agent support'],
  async run(cli, { user, prompt, ...said }, tenantId: string, name: string) {
    mustSayWhen(said);
    const body = { ...bodyOf(said), ...(prompt !== undefined && { prompt }) };
    show(cli, await (await access(cli, tenantId, { user })).call<Schedule>(pathOf(tenantId, name), { method: 'PUT', body }));
  },
});

const list = command<AsUser>({
  usage: 'list <tenantId>',
  summary: "list your schedules; an administrator sees everybody's",
  options: [shared.user],
  async run(cli, { user }, tenantId: string) {
    const { data } = await (await access(cli, tenantId, { user })).call<{ data: Schedule[] }>(apiPath`/tenants/${tenantId}/schedules`);
    cli.out.list(data, columns, 'There are none.');
  },
});

const showOne = command<AsUser>({
  usage: 'show <tenantId> <name>',
  summary: 'show a schedule with its prompt',
  options: [shared.user],
  async run(cli, { user }, tenantId: string, name: string) {
    show(cli, await (await access(cli, tenantId, { user })).call<Schedule>(pathOf(tenantId, name)));
  },
});

const steer = (verb: 'pause' | 'resume', summary: string): CommandSpec =>
  command<AsUser & { reason?: string }>({
    usage: `${verb} <tenantId> <name>`,
    summary,
    options: [...(verb === 'pause' ? ([{ flags: '--reason <text>', description: 'for those who find it paused', required: true }] as const) : []), shared.user],
    async run(cli, { user, reason }, tenantId: string, name: string) {
      const body = reason === undefined ? {} : { reason };
      show(cli, await (await access(cli, tenantId, { user })).call<Schedule>(`${pathOf(tenantId, name)}/${verb}`, { method: 'POST', body }));
    },
  });

const run = command<AsUser>({
  usage: 'run <tenantId> <name>',
  summary: 'run a schedule now, whether it is paused or not',
  options: [shared.user],
  async run(cli, { user }, tenantId: string, name: string) {
    const started = await (await access(cli, tenantId, { user })).call<ScheduledRun>(`${pathOf(tenantId, name)}/runs`, { method: 'POST', body: {} });
    cli.out.result(started, () => `It runs. What becomes of it: tenure schedule runs ${tenantId} ${name}`);
  },
});

const runs = command<AsUser & { limit?: number }>({
  usage: 'runs <tenantId> <name>',
  summary: 'list the runs of a schedule, newest first',
  options: [{ ...shared.limit, parse: parseCount }, shared.user],
  async run(cli, { user, limit = 20 }, tenantId: string, name: string) {
    const rows = await (await access(cli, tenantId, { user })).all<ScheduledRun>(`${pathOf(tenantId, name)}/runs`, {}, limit);
    cli.out.list(rows, runColumns, 'It has not run yet.');
  },
});

const remove = command<AsUser>({
  usage: 'delete <tenantId> <name>',
  summary: 'delete a schedule, and the list of its runs',
  options: [shared.user],
  async run(cli, { user }, tenantId: string, name: string) {
    await (await access(cli, tenantId, { user })).call(pathOf(tenantId, name), { method: 'DELETE' });
    cli.out.result({ deleted: name }, () => `${name} is deleted.`);
  },
});

export const scheduleCommands: GroupSpec = {
  name: 'schedule',
  summary: 'have agents given prompts by the clock',
  commands: [create, list, showOne, update, steer('pause', 'have a schedule rest until somebody resumes it'), steer('resume', 'let a schedule run by the clock again'), run, runs, remove],
};
