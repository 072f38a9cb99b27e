import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { LiveEntry } from '../../contracts/events';
import { newId } from '../../contracts/ids';
import type { SessionRecord } from '../../contracts/session';
import { apiPath, withQuery } from '../access';
import { attach, typeOfFile } from '../attaching';
import type { Cli } from '../cli';
import { collect, command, type GroupSpec, parseCount, shared } from '../command';
import { CliFailure, exitCodes } from '../failures';
import { type Column, minuteOf, printable, printableText, timeOf } from '../terminal/table';
import { access, type AsUser } from './as-user';
import { eraseSession } from './erasure';
import { answer, answering, questions, shownQuestion } from './session-questions';

const columns: readonly Column<SessionRecord>[] = [
  { title: 'session', of: ({ sessionId }) => sessionId },
  { title: 'opened', of: ({ createdAt }) => minuteOf(createdAt) },
  { title: 'closed', of: ({ closedAt }) => minuteOf(closedAt) },
  { title: 'user', of: ({ userId }) => userId },
];

const parentColumn: Column<SessionRecord> = { title: 'works for', of: ({ parent }) => parent?.sessionId ?? '' };

interface Answer {
  readonly sessionId: string;
  readonly answer?: string;
  readonly outcome: string;
}

const chat = command<AsUser & { session?: string; agent?: string; attach?: string[] }>({
  usage: 'chat <tenantId> <text>',
  summary: 'say something to the agent of a tenant, and read its answer while it is written',
  options: [{ flags: '--session <id>', description: 'go on with this session' }, { flags: '--agent <agent>', description: "with this agent, such as support or support@3; the tenant's own when absent" }, { flags: '--attach <file>', description: 'an image or a document to send along; may be repeated', parse: collectFiles }, shared.user],
  examples: ['tenure session chat acme "Store my preference: color=blue"', 'tenure session chat acme "What is in this picture?" --attach photo.jpg'],
  async run(cli, { session, agent, attach: files = [], user }, tenantId: string, text: string) {
    const caller = await access(cli, tenantId, { user });
    const path = apiPath`/tenant/${tenantId}/agent`;
    // There must be one to attach something to.
    const opened = session === undefined && files.length > 0 ? await caller.call<SessionRecord>(apiPath`/tenants/${tenantId}/sessions`, { method: 'POST', body: { ...(agent !== undefined && { agent }) } }) : undefined;
    const sessionId = opened?.sessionId ?? session ?? newId('session');
    const attachments = files.length > 0 ? await attach(caller, tenantId, sessionId, files) : undefined;
    const request = { method: 'POST', body: { prompt: text, session_id: sessionId, ...(attachments && { attachments }), ...(agent !== undefined && { agent }) } } as const;
    if (cli.out.json) {
      const answer = await caller.call<Answer>(path, request);
      cli.out.result(answer, () => '');
      endedAs(answer.outcome);
      return;
    }
    const tell = teller(cli);
    const answerTo = answering(cli, caller, { tenantId, sessionId });
    for await (const { data, event } of caller.stream(path, request)) {
      if (event === 'problem') throw new CliFailure(exitCodes.unavailable, 'The stream broke; the turn goes on.', `tenure session list ${tenantId}`);
      const entry = JSON.parse(data) as LiveEntry;
      const outcome = tell(entry);
      if (entry.type === 'question.asked') await answerTo(entry);
      if (outcome === undefined) continue;
      cli.out.note(cli.out.paint('dim', `(${outcome}; go on with --session ${sessionId})`));
      endedAs(outcome);
    }
  },
});

/** A file that cannot be attached is said before anything is asked. */
function collectFiles(file: string, before: unknown): string[] {
  typeOfFile(file);
  return collect(file, before);
}

/** Writes an answer as it comes, each tool on a line of its own. @returns how the turn ended, once it has. */
function teller({ out }: Cli): (entry: LiveEntry) => string | undefined {
  let isLineBegun = false;
  const say = (text: string) => {
    out.write(text);
    if (text !== '') isLineBegun = !text.endsWith('\n');
  };
  const endLine = () => {
    if (isLineBegun) say('\n');
  };
  return (entry) => {
    if (entry.type === 'text.delta') say(printableText(entry.text));
    else if (entry.type === 'step.reset') endLine();
    else if (entry.type === 'tool.started' && !out.quiet) {
      endLine();
      say(`${out.paint('dim', `  [${printable(entry.tool)}]`)}\n`);
    } else if (entry.type === 'approval.requested' && !out.quiet) {
      endLine();
      say(`${out.paint('dim', `  [${printable(entry.tool)} waits for approval ${printable(entry.approvalId)}]`)}\n`);
    } else if (entry.type === 'question.asked') {
      endLine();
      say(`${shownQuestion(entry, out.paint)}\n`);
    } else if (entry.type === 'turn.completed') {
      endLine();
      return entry.outcome;
    }
    return undefined;
  };
}

function endedAs(outcome: string): void {
  if (outcome !== 'completed' && outcome !== 'running') throw new CliFailure(exitCodes.failed, `The turn ended as ${outcome}.`);
}

const list = command<AsUser & { limit?: number; children?: true }>({
  usage: 'list <tenantId>',
  summary: "list your sessions, newest first; an administrator sees everybody's",
  options: [{ flags: '--children', description: 'those, too, in which an agent works for another one' }, shared.limit, shared.user],
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
    for await (const { data, event } of caller.stream(eventsUrl)) {
      if (event === 'problem') throw new CliFailure(exitCodes.unavailable, 'The stream broke; it goes on.', `tenure session export ${tenantId} ${sessionId}`);
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
