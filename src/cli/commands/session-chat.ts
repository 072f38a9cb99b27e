import { randomUUID } from 'node:crypto';
import type { LiveEntry } from '../../contracts/events';
import { newId } from '../../contracts/ids';
import type { SessionRecord } from '../../contracts/session';
import { type Access, apiPath } from '../access';
import { attach, typeOfFile } from '../attaching';
import type { Cli } from '../cli';
import { collect, command, shared } from '../command';
import { CliFailure, exitCodes } from '../failures';
import { mayHaveArrived, seemsTemporary } from '../patience';
import { printable, printableText } from '../terminal/table';
import { type Following, type Opening, unbroken } from '../unbroken';
import { access, type AsUser } from './as-user';
import { answering, shownQuestion } from './session-questions';

interface Answer {
  readonly sessionId: string;
  readonly answer?: string;
  readonly outcome: string;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

export const chat = command<AsUser & { session?: string; agent?: string; attach?: string[] }>({
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
    // One key, however often it is sent.
    const request = { method: 'POST', idempotencyKey: randomUUID(), body: { prompt: text, session_id: sessionId, ...(attachments && { attachments }), ...(agent !== undefined && { agent }) } } as const;
    if (cli.out.json) {
      const answer = await caller.call<Answer>(path, request);
      cli.out.result(answer, () => '');
      endedAs(answer);
      return;
    }
    const tell = teller(cli);
    const answerTo = answering(cli, caller, { tenantId, sessionId });
    for await (const entry of turnOf(cli, caller, { tenantId, sessionId }, (opening) => caller.stream(path, { ...request, ...opening }))) {
      tell(entry);
      if (entry.type === 'question.asked') await answerTo(entry);
      if (entry.type !== 'turn.completed') continue;
      cli.out.note(cli.out.paint('dim', `(${entry.outcome}; go on with --session ${sessionId})`));
      endedAs(entry);
    }
  },
});

/** A file that cannot be attached is said before anything is asked. */
function collectFiles(file: string, before: unknown): string[] {
  typeOfFile(file);
  return collect(file, before);
}

/**
 * What a request has the agent do, to the end of its turn. That goes on whatever becomes of the stream: where nothing came of it yet the request is sent
 * again, otherwise its turn is followed in the session's log.
 */
async function* turnOf(cli: Cli, caller: Access, { tenantId, sessionId }: { tenantId: string; sessionId: string }, ask: (opening: Opening) => ReturnType<Access['stream']>): AsyncGenerator<LiveEntry> {
  const log = apiPath`/tenants/${tenantId}/sessions/${sessionId}/events`;
  let turnId: string | undefined;
  let mayBeUnderWay = false;
  const asked = async function* (opening: Opening) {
    yield* ask(opening);
    mayBeUnderWay = true;
  };
  const following: Following = {
    mayPass: (error) => (mayBeUnderWay ||= mayHaveArrived(error)) && seemsTemporary(error),
    onTrouble: () => cli.out.note('The API does not answer; the turn goes on, and so does this once it does.'),
  };
  for await (const { data } of unbroken((opening) => (turnId === undefined ? asked(opening) : caller.stream(log, opening)), following)) {
    const entry = JSON.parse(data) as LiveEntry;
    if ('turnId' in entry) turnId ??= entry.turnId;
    if ('turnId' in entry && entry.turnId !== turnId) continue;
    yield entry;
    if (entry.type === 'turn.completed') return;
  }
}

/** Writes an answer as it comes, each tool on a line of its own. */
function teller({ out }: Cli): (entry: LiveEntry) => void {
  let isLineBegun = false;
  /** Of the step that is under way. */
  let told = '';
  const say = (text: string) => {
    out.write(text);
    if (text !== '') isLineBegun = !text.endsWith('\n');
  };
  const endLine = () => {
    if (isLineBegun) say('\n');
  };
  return (entry) => {
    if (entry.type === 'text.delta') {
      say(printableText(entry.text));
      told += entry.text;
    } else if (entry.type === 'step.reset') {
      endLine();
      told = '';
    } else if (entry.type === 'message.completed') {
      // Words may have been lost on their way; its text is whole.
      if (entry.text.startsWith(told)) say(printableText(entry.text.slice(told.length)));
      told = '';
    } else if (entry.type === 'answer.rejected') endLine();
    else if (entry.type === 'tool.started' && !out.quiet) {
      endLine();
      say(`${out.paint('dim', `  [${printable(entry.tool)}]`)}\n`);
    } else if (entry.type === 'approval.requested' && !out.quiet) {
      endLine();
      say(`${out.paint('dim', `  [${printable(entry.tool)} waits for approval ${printable(entry.approvalId)}]`)}\n`);
    } else if (entry.type === 'question.asked') {
      endLine();
      say(`${shownQuestion(entry, out.paint)}\n`);
    } else if (entry.type === 'turn.completed') endLine();
  };
}

function endedAs({ outcome, code, message }: Pick<Answer, 'outcome' | 'code' | 'message'>): void {
  if (outcome === 'completed' || outcome === 'running') return;
  const why = [code, message].filter((part) => part !== undefined).map(printable).join(': ');
  throw new CliFailure(exitCodes.failed, `The turn ended as ${outcome}${why === '' ? '.' : `: ${why}`}`);
}
