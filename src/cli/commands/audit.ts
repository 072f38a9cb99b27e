import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type AuditEntry, auditOutcomes, SignedCheckpoint } from '../../contracts/audit';
import { apiPath, withQuery } from '../access';
import { command, type GroupSpec, type OptionSpec, parseCount, parseTime, shared } from '../command';
import { CliFailure, exitCodes } from '../failures';
import { readInput } from '../terminal/files';
import { type Column, timeOf } from '../terminal/table';
import { keyOf, publishedKey } from '../trusted-key';

const columns: readonly Column<AuditEntry>[] = [
  { title: '#', of: ({ seq }) => seq },
  { title: 'when', of: ({ at }) => timeOf(at) },
  { title: 'who', of: ({ actor: { kind, id } }) => (id === undefined ? kind : `${kind} ${id}`) },
  { title: 'from', of: ({ address }) => address },
  { title: 'action', of: ({ action }) => action },
  { title: 'object', of: ({ object }) => object },
  { title: 'outcome', of: ({ outcome, code, count }) => [outcome, code, count !== undefined && `x${count}`].filter(Boolean).join(' ') },
];

const ofTenant: OptionSpec = { flags: '--tenant <tenantId>', description: "of this tenant, also when it has left; the platform's when absent" };

interface ListOptions {
  readonly tenant?: string;
  readonly since?: string;
  readonly until?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly object?: string;
  readonly outcome?: string;
  readonly limit?: number;
}

const list = command<ListOptions>({
  usage: 'list',
  summary: 'list who did what, and who was refused, newest first',
  options: [
    ofTenant,
    { flags: '--since <time>', description: 'from then on: an ISO time, or such as 2h', parse: parseTime },
    { flags: '--until <time>', description: 'before then', parse: parseTime },
    { flags: '--actor <id>', description: 'by this user, operator or workflow' },
    { flags: '--action <text>', description: 'with this in the action' },
    { flags: '--object <text>', description: 'with this in the object' },
    { flags: '--outcome <outcome>', description: 'with this outcome', choices: auditOutcomes },
    shared.limit,
  ],
  examples: ['tenure audit list --tenant acme --since 24h', 'tenure audit list --outcome denied'],
  async run(cli, { tenant, limit = 50, ...filter }) {
    const entries = await (await cli.operator()).all<AuditEntry>('/api/v1/audit', { tenantId: tenant, ...filter }, limit);
    cli.out.list(entries, columns, 'Nothing of that kind is in the log.');
  },
});

const exportCommand = command<{ tenant?: string; after?: number; out?: string }>({
  usage: 'export',
  summary: 'write the log as JSON Lines, signed at its end',
  options: [
    ofTenant,
    { flags: '--after <number>', description: 'begin behind this entry', parse: parseCount },
    { flags: '--out <file>', description: 'where to; standard output when absent' },
  ],
  examples: ['tenure audit export --tenant acme --out acme.jsonl'],
  async run(cli, { tenant, after, out }) {
    const path = withQuery('/api/v1/audit/export', { tenantId: tenant, after: after?.toString() });
    const body = await (await cli.operator()).body(path, 'application/jsonl');
    if (out === undefined) {
      await pipeline(Readable.from(body), process.stdout, { end: false });
      return;
    }
    await pipeline(Readable.from(body), createWriteStream(out));
    cli.out.note(`Written to ${out}. Check it: tenure audit verify ${out}`);
  },
});

const verify = command<{ key?: string; checkpoints?: string }>({
  usage: 'verify <file>',
  summary: 'check that an export is whole and as it was written; exit code 1 when it is not',
  options: [
    { flags: '--key <file>', description: "the platform's key as JSON (a JWK); asks the API for it when absent, and nobody when given" },
    { flags: '--checkpoints <file>', description: 'an export, or lines of one, that was kept elsewhere: its signed checkpoints must agree' },
  ],
  examples: ['tenure audit verify acme.jsonl', 'tenure audit verify acme.jsonl --key key.json --checkpoints last-year.jsonl'],
  async run(cli, { key, checkpoints }, file: string) {
    const trusted = key === undefined ? await publishedKey(cli, apiPath`/audit/key`) : await keyOf(key, apiPath`/audit/key`);
    const witnesses = checkpoints === undefined ? [] : signedIn(await readInput(checkpoints));
    // Only this command pays for the signature's code.
    const { verifyAuditExport } = await import('../../adapters/audit-verification.js');
    const { problems, ...found } = await verifyAuditExport(linesOf(file), trusted, witnesses);
    if (problems.length > 0) throw new CliFailure(exitCodes.failed, `${file} is not as it was written:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    const facts = { isValid: true, ...found, signedWith: trusted.kid };
    cli.out.result(facts, () => `${file} is whole, and as it was written.\n${cli.out.facts({ ...facts, isValid: undefined })}`);
  },
});

/** The signed checkpoints among the lines of a file. */
const signedIn = (text: string): SignedCheckpoint[] =>
  text.split('\n').flatMap((line) => {
    if (!line.includes('"checkpoint"')) return [];
    const { data } = SignedCheckpoint.safeParse(JSON.parse(line));
    return data ? [data] : [];
  });

async function* linesOf(file: string): AsyncGenerator<string> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  try {
    yield* createInterface({ input, crlfDelay: Infinity });
  } catch (error) {
    throw new CliFailure(exitCodes.usage, `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export const auditCommands: GroupSpec = { name: 'audit', summary: 'who did what, and proof of it', commands: [list, exportCommand, verify] };
