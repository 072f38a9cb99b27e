import { randomInt } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { localAccounts } from '../src/cli/accounts';
import { startPlatform } from '../src/local/platform';
import { Cast, type RoleName, roleNames } from './api-cast';
import { updateDocs } from './docs';
import { runSchemathesis, type SchemathesisOptions, type SchemathesisRun } from './schemathesis';

const { values: options } = parseArgs({
  options: {
    /** At least so many, over all roles. */
    requests: { type: 'string', default: '5000' },
    /** One of them alone. */
    role: { type: 'string' },
    /** A part of the operations, by regular expression over their ids. */
    only: { type: 'string' },
    seed: { type: 'string', default: String(randomInt(1_000_000)) },
    out: { type: 'string', default: 'campaign/results' },
  },
});

/** Does away with what others ask about: asked last, and what ends the asker's own token by itself behind it. */
const ends = '^delete|(Erase|Close|Disable|SignOut)$';
const endsTheAsker = '^postApiV1TenantsTenantIdSignOut$';

/** Rates are no part of what is tried: they are as high as they can be set. */
const apiEnv = { PUBLIC_REQUESTS_PER_MINUTE: '1000000', REFUSED_CREDENTIALS_PER_MINUTE: '1000000', ANSWER_TIMEOUT_MS: '10000' };

/** Schemathesis on a whole platform, as everybody there is. */
async function main(): Promise<void> {
  const roles = options.role === undefined ? roleNames : roleNames.filter((name) => name === options.role);
  if (roles.length === 0) throw new Error(`--role is one of ${roleNames.join(', ')}`);
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'tenure-api-'));
  const platform = await startPlatform({ stateDir, keepsState: false, restart: false, apiEnv, onProgress: (line) => console.log(line) });
  const startedAtMs = Date.now();
  try {
    const cast = await Cast.make(localAccounts(platform.settings), { apiUrl: platform.settings.apiUrl, modelUrl: platform.stack.urls.model });
    const runs: AnsweredRun[] = [];
    const answersOf = answersIn(path.join(stateDir, 'logs/api.log'));
    for (const role of roles) runs.push({ ...(await ask(role, cast, platform.settings.apiUrl, Number(options.requests) / roles.length)), answers: await answersOf() });
    const bugs = (await readFile(path.join(stateDir, 'logs/api.log'), 'utf8')).split('\n').filter((line) => line.includes('unexpected error'));
    await report(runs, bugs, (Date.now() - startedAtMs) / 1_000);
  } finally {
    await platform.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}

async function ask(role: RoleName, cast: Cast, url: string, requests: number): Promise<SchemathesisRun> {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as Parameters<typeof runSchemathesis>[0]['document'];
  const operations = Object.values(document.paths).flatMap((methods) => Object.keys(methods)).length;
  const common = { url, document, asker: await cast.asker(role), examples: Math.max(1, Math.ceil(requests / operations)), seed: Number(options.seed) };
  const parts: Pick<SchemathesisOptions, 'only' | 'except'>[] = [{ except: ends, ...(options.only !== undefined && { only: options.only }) }];
  if (options.only === undefined) parts.push({ only: ends, except: endsTheAsker }, { only: endsTheAsker });
  const runs: SchemathesisRun[] = [];
  for (const part of parts) runs.push(await runSchemathesis({ ...common, ...part }));
  const run = { asker: role, requests: sum(runs.map(({ requests }) => requests)), operations: sum(runs.map(({ operations }) => operations)), findings: runs.flatMap(({ findings }) => findings), output: runs.map(({ output }) => output).join('') };
  await mkdir(options.out, { recursive: true });
  await writeFile(path.join(options.out, `api-${role}.log`), run.output);
  console.log(`${role}: ${run.requests} requests, ${run.findings.length} kinds of findings`);
  return run;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** How many requests were answered how: `2xx`, `404`, `4xx` otherwise. */
type Answers = Readonly<Record<string, number>>;
type AnsweredRun = SchemathesisRun & { readonly answers: Answers };

/** Reads the API's log on from where it was read last. */
function answersIn(file: string): () => Promise<Answers> {
  let read = 0;
  return async () => {
    const lines = (await readFile(file, 'utf8')).split('\n');
    const statuses = lines.slice(read).flatMap((line) => /"status":(\d)(\d\d)\b.*"msg":"request"/.exec(line)?.slice(1, 3) ?? []);
    read = lines.length - 1;
    const answers: Record<string, number> = {};
    for (let at = 0; at < statuses.length; at += 2) {
      const name = statuses[at] === '4' && statuses[at + 1] === '04' ? '404' : `${statuses[at] ?? ''}xx`;
      answers[name] = (answers[name] ?? 0) + 1;
    }
    return answers;
  };
}

async function report(runs: readonly AnsweredRun[], bugs: readonly string[], seconds: number): Promise<void> {
  const total = sum(runs.map(({ requests }) => requests));
  const problems = [...runs.flatMap(({ asker, findings }) => findings.map((finding) => `${asker}: ${finding}`)), ...bugs.map((line) => `a bug in the log: ${line.slice(0, 600)}`)];
  const markdown = [
    `${total} requests of Schemathesis (seed ${options.seed}) in ${seconds.toFixed(0)} s: ${problems.length === 0 ? 'no 5xx, nothing that the document does not say' : `${problems.length} findings`}.`,
    '',
    '| as | operations | requests | done | not there | refused otherwise | findings |',
    '|---|---|---|---|---|---|---|',
    ...runs.map(({ asker, operations, requests, answers, findings }) => `| ${asker} | ${operations} | ${requests} | ${answers['2xx'] ?? 0} | ${answers['404'] ?? 0} | ${answers['4xx'] ?? 0} | ${findings.length} |`),
    ...(problems.length > 0 ? ['', ...problems.map((problem) => `- ${problem}`)] : []),
    '',
  ].join('\n');
  await mkdir(options.out, { recursive: true });
  await writeFile(path.join(options.out, 'api.md'), markdown);
  // A part says nothing of the whole.
  if (options.role === undefined && options.only === undefined) await updateDocs('api', markdown);
  console.log(`\n${markdown}`);
  if (problems.length > 0) process.exitCode = 1;
}

// What still runs when the platform could not be started ends with this process.
main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
