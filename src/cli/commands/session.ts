import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { LiveEntry } from '../../contracts/events';
import type { SessionRecord } from '../../contracts/session';
import { apiPath, withQuery } from '../access';
import type { Cli } from '../cli';
import { command, type GroupSpec, parseCount, shared } from '../command';
import { CliFailure, exitCodes } from '../failures';
import { type Column, minuteOf, printable, timeOf } from '../terminal/table';
import { unbroken } from '../unbroken';
import { access, type AsUser } from './as-user';
import { eraseSession } from './erasure';
import { chat } from './session-chat';
import { answer, questions } from './session-questions';

const columns: readonly Column<SessionRecord>[] = [
  { title: 'session', of: ({ sessionId }) => sessionId },
  { title: 'opened', of: ({ createdAt }) => minuteOf(createdAt) },
  { title: 'closed', of: ({ closedAt }) => minuteOf(closedAt) },
  { title: 'user', of: ({ userId }) => userId },
];

const parentColumn: Column<SessionRecord> = { title: 'works for', of: ({ parent }) => parent?.sessionId ?? '' };

const list = command<AsUser & { limit?: number; children?: true }>({
  usage: 'list <tenantId>',
  summary: "list your sessions, newest first; an administrator sees everybody's",
  options: [{ flags: '--children', description: 'also those in which an agent works for another one' }, shared.limit, shared.user],
  async run(cli, { limit = 50, children, user }, tenantId: string) {
    const rows = await (await access(cli, tenantId, { user })).all<SessionRecord>(apiPath`/tenants/${tenantId}/sessions`, { children: children && 'true' }, limit);
    cli.out.list(rows, [...columns, ...(children ? [parentColumn] : [])], 'There are none.');
  },
});

interface ShownSession extends SessionRecord {
  readonly status: { readonly state: string; readonly turnCount: number; readonly queuedTurns: number; readonly head: number };
}

const show = command<AsUser>({
  usage: 'show <tenantId> <sessionId>',
  summary: 'show a session and what it does now',
  options: [shared.user],
  async run(cli, { user }, tenantId: string, sessionId: string) {
    const session = await (await access(cli, tenantId, { user })).call<ShownSession>(apiPath`/tenants/${tenantId}/sessions/${sessionId}`);
    const { status, userId, createdAt, closedAt, agent, parent } = session;
    const facts = { session: sessionId, agent: agent && `${agent.name}@${agent.version}`, 'works for': parent?.sessionId, state: status.state, turns: status.turnCount, queued: status.queuedTurns, events: status.head };
    cli.out.result(session, () => cli.out.facts({ ...facts, user: userId, opened: timeOf(createdAt), closed: timeOf(closedAt) }));
  },
});

/** Something a session is told to do. */
const tellSession = (verb: 'cancel' | 'close', summary: string, done: string) =>
  command<AsUser>({
    usage: `${verb} <tenantId> <sessionId>`,
    summary,
    options: [shared.user],
    async run(cli, { user }, tenantId: string, sessionId: string) {
      await (await access(cli, tenantId, { user })).call(`${apiPath`/tenants/${tenantId}/sessions/${sessionId}`}/${verb}`, { method: 'POST', body: {} });
      cli.out.result({ sessionId }, () => done);
    },
  });

const exportCommand = command<AsUser & { after?: number; out?: string }>({
  usage: 'export <tenantId> <sessionId>',
  summary: 'write the events of a session as JSON Lines',
  options: [
    { flags: '--after <number>', description: 'begin behind this event', parse: parseCount },
    { flags: '--out <file>', description: 'where to; standard output when absent' },
    shared.user,
  ],
  examples: ['tenure session export acme ses-01k --out conversation.jsonl'],
  async run(cli, { after, out, user }, tenantId: string, sessionId: string) {
    const caller = await access(cli, tenantId, { user });
    const path = withQuery(apiPath`/tenants/${tenantId}/sessions/${sessionId}/events`, { format: 'jsonl', after: after?.toString() });
    const body = await caller.body(path, 'application/jsonl');
    if (out === undefined) await pipeline(Readable.from(body), process.stdout, { end: false });
    else await pipeline(Readable.from(body), createWriteStream(out));
    if (out !== undefined) cli.out.note(`Written to ${out}.`);
  },
});

const fork = command<AsUser & { as?: string }>({
  usage: 'fork <tenantId> <sessionId> <turnId>',
  summary: 'begin a new session with what this one said up to the end of a turn',
  options: [{ flags: '--as <sessionId>', description: 'its id; one is made when absent' }, shared.user],
  examples: ['tenure session fork acme ses-01k turn-01k'],
  async run(cli, { as, user }, tenantId: string, sessionId: string, turnId: string) {
    const body = { turnId, ...(as !== undefined && { sessionId: as }) };
    const forked = await (await access(cli, tenantId, { user })).call<{ sessionId: string }>(apiPath`/tenants/${tenantId}/sessions/${sessionId}/fork`, { method: 'POST', body });
    cli.out.result(forked, () => `${forked.sessionId} goes on from there: tenure session chat ${tenantId} "..." --session ${forked.sessionId}`);
  },
});

const undo = command<AsUser>({
  usage: 'undo <tenantId> <sessionId> <turnId>',
  summary: 'take back what the agent did in a turn, the last call first',
  options: [shared.user],
  examples: ['tenure session undo acme ses-01k turn-01k'],
  async run(cli, { user }, tenantId: string, sessionId: string, turnId: string) {
    const caller = await access(cli, tenantId, { user });
    const { undoId, eventsUrl } = await caller.call<{ undoId: string; eventsUrl: string }>(apiPath`/tenants/${tenantId}/sessions/${sessionId}/turns/${turnId}/undo`, { method: 'POST', body: {} });
    for await (const { data } of unbroken((opening) => caller.stream(eventsUrl, opening))) {
      const entry = JSON.parse(data) as LiveEntry;
      if (!('undoId' in entry) || entry.undoId !== undoId) continue;
      if (entry.type === 'undo.completed') {
        undoneAs(cli, entry);
        return;
      }
      cli.out.note(`  ${printable(entry.tool)}: ${entry.type === 'tool.undone' ? 'taken back' : `${entry.code}: ${printable(entry.message)}`}`);
    }
  },
});

function undoneAs({ out }: Cli, end: Extract<LiveEntry, { type: 'undo.completed' }>): void {
  out.result(end, () => (end.undone === 0 && end.failed === 0 ? 'There was nothing to take back.' : `Taken back: ${end.undone}. Not taken back: ${end.failed}.`));
  if (end.failed > 0 || end.code !== undefined) throw new CliFailure(exitCodes.failed, end.message ?? 'Not all of it was taken back.');
}

export const sessionCommands: GroupSpec = {
  name: 'session',
  summary: 'talk to agents, as a user of a tenant',
  commands: [
    chat,
    questions,
    answer,
    list,
    show,
    exportCommand,
    fork,
    undo,
    tellSession('cancel', 'stop the running turn of a session', 'The turn is being stopped.'),
    tellSession('close', 'close a session after its running turn', 'It closes after its running turn.'),
    eraseSession,
  ],
};
