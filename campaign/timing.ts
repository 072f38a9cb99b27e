import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type LocalAccounts, localAccounts } from '../src/cli/accounts';
import { ApiClient } from '../src/cli/api-client';
import { watchOperation } from '../src/cli/operations';
import { groups } from '../src/contracts/names';
import type { Operation } from '../src/contracts/operation';
import { startPlatform } from '../src/local/platform';
import { updateDocs } from './docs';
import { type Difference, differenceOf, isTold, type Pair } from './timing-figures';

const { values: options } = parseArgs({
  options: {
    /** Of each thing that is asked for. */
    pairs: { type: 'string', default: '400' },
    /** A part of what is asked, by its name: then the page stays as it is. */
    only: { type: 'string', default: '' },
  },
});

/** So many of another's, and so many that are missing, in turn: one alone could lie well or badly. */
const ofEach = 5;
/** Pairs that are asked first, and not counted. */
const warmUp = 20;

const rate = { requestsPerMinute: 1_000_000, burst: 1_000_000 };
const apiEnv = { PUBLIC_REQUESTS_PER_MINUTE: '1000000', REFUSED_CREDENTIALS_PER_MINUTE: '1000000' };

/** Something that is another's, and the same that is not there. */
interface Question {
  readonly title: string;
  readonly token: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly pathOf: (id: string) => string;
  readonly status: 401 | 404;
  readonly body?: object;
  readonly others: readonly string[];
  readonly missing: readonly string[];
}

/** Asks a whole platform for what is another's and for what is missing, in pairs, and compares how long the answers took. */
async function main(): Promise<void> {
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'tenure-timing-'));
  const platform = await startPlatform({ stateDir, keepsState: false, restart: false, apiEnv, onProgress: (line) => console.log(line) });
  try {
    const all = await questionsOf(localAccounts(platform.settings), new ApiClient(platform.settings.apiUrl));
    const questions = all.filter(({ title }) => title.includes(options.only));
    const rows: [string, Difference][] = [];
    for (const question of questions) {
      const difference = differenceOf(await ask(platform.settings.apiUrl, question));
      rows.push([question.title, difference]);
      console.log(lineOf(question.title, difference));
    }
    if (options.only === '') await updateDocs('timing', report(rows));
    if (rows.some(([, difference]) => isTold(difference))) process.exitCode = 1;
  } finally {
    await platform.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}

async function ask(apiUrl: string, question: Question): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let index = -warmUp; index < Number(options.pairs); index += 1) {
    const at = (ids: readonly string[]) => () => timeOf(apiUrl, question, ids[Math.abs(index) % ids.length] ?? '');
    const [others, missing] = [at(question.others), at(question.missing)];
    // What is asked first in a pair is asked of a quieter machine, or of a busier one: chance decides.
    const [first, second] = randomInt(2) === 0 ? [others, missing] : [missing, others];
    const [firstMs, secondMs] = [await first(), await second()];
    if (index >= 0) pairs.push(first === others ? { othersMs: firstMs, missingMs: secondMs } : { othersMs: secondMs, missingMs: firstMs });
  }
  return pairs;
}

/** @throws Error when it was answered with another status. */
async function timeOf(apiUrl: string, { method, token, pathOf, status, body }: Question, id: string): Promise<number> {
  const headers = { accept: 'application/json', authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) };
  const beganAtMs = performance.now();
  const response = await fetch(`${apiUrl}/api/v1/tenants/${pathOf(id)}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  const text = await response.text();
  const tookMs = performance.now() - beganAtMs;
  if (response.status !== status) throw new Error(`${method} ${pathOf(id)} was answered with ${response.status}: ${text}`);
  return tookMs;
}

const times = <T>(make: (index: number) => T): T[] => Array.from({ length: ofEach }, (_, index) => make(index));

/** Two tenants, and what their people have. */
async function questionsOf(accounts: LocalAccounts, api: ApiClient): Promise<Question[]> {
  const operator = await accounts.operatorToken();
  for (const tenantId of ['asking', 'other']) {
    const body = { tenantId, rate, administrator: { email: `admin@${tenantId}.example` } };
    const { operationId } = await api.call<Operation>('/api/v1/tenants', { method: 'POST', token: operator, body });
    const { state } = await watchOperation(api, operationId, operator);
    if (state !== 'completed') throw new Error(`The onboarding of ${tenantId} came to ${state}`);
  }
  const user = (tenantId: string, name: string, group: string) => accounts.userTokens(tenantId, `${name}@${tenantId}.example`, [group]);
  const ada = (await user('asking', 'ada', groups.members)).accessToken;
  const bob = (await user('asking', 'bob', groups.members)).accessToken;
  const admin = (await user('asking', 'boss', groups.administrators)).accessToken;
  const stranger = (await user('other', 'boss', groups.administrators)).accessToken;
  const made = async <Body>(tenantId: string, things: string, token: string, body: object) => await api.call<Body>(`/api/v1/tenants/${tenantId}/${things}`, { method: 'POST', token, body });
  const all = <Body>(tenantId: string, things: string, token: string, bodyOf: (index: number) => object) => Promise.all(times((index) => made<Body>(tenantId, things, token, bodyOf(index))));
  const sessions = async (tenantId: string, token: string) => (await all<{ sessionId: string }>(tenantId, 'sessions', token, () => ({}))).map(({ sessionId }) => sessionId);
  const [bobs, strangers] = [await sessions('asking', bob), await sessions('other', stranger)];
  const keys = (await all<{ keyId: string }>('other', 'api-keys', stranger, () => ({ name: 'k', permissions: ['read:session'] }))).map(({ keyId }) => keyId);
  const clients = (await all<{ clientId: string }>('other', 'machine-clients', stranger, () => ({ name: 'm', permissions: ['read:session'] }))).map(({ clientId }) => clientId);
  const agents = (await all<{ name: string }>('other', 'agents', stranger, (index) => ({ name: `theirs-${index}`, settings: {} }))).map(({ name }) => name);
  const noSessions = times((index) => `${bobs[index]?.slice(0, -12) ?? ''}${randomBytes(6).toString('hex')}`);
  const noIds = times(() => randomBytes(8).toString('hex'));
  const onSession = { pathOf: (id: string) => `asking/sessions/${id}`, status: 404, missing: noSessions } as const;
  return [
    { title: "a colleague's session", token: ada, method: 'GET', ...onSession, others: bobs },
    { title: "another tenant's session", token: ada, method: 'GET', ...onSession, others: strangers },
    { title: "events of a colleague's session", token: ada, method: 'GET', ...onSession, pathOf: (id) => `asking/sessions/${id}/events`, others: bobs },
    { title: "a message to a colleague's session", token: ada, method: 'POST', ...onSession, pathOf: (id) => `asking/sessions/${id}/messages`, body: { text: 'Hello' }, others: bobs },
    { title: "a colleague's session, closed", token: ada, method: 'POST', ...onSession, pathOf: (id) => `asking/sessions/${id}/close`, body: {}, others: bobs },
    { title: "another tenant's API key, revoked", token: admin, method: 'DELETE', pathOf: (id) => `asking/api-keys/${id}`, status: 404, others: keys, missing: noIds },
    { title: "another tenant's machine client, revoked", token: admin, method: 'DELETE', pathOf: (id) => `asking/machine-clients/${id}`, status: 404, others: clients, missing: noIds },
    { title: "another tenant's agent", token: admin, method: 'GET', pathOf: (id) => `asking/agents/${id}`, status: 404, others: agents, missing: times((index) => `nobodys-${index}`) },
    { title: 'another tenant', token: admin, method: 'GET', pathOf: (id) => `${id}/sessions`, status: 401, others: ['other'], missing: times((index) => `nobody-${index}`) },
  ];
}

const ms = (value: number): string => value.toFixed(3);
const lineOf = (title: string, { othersMs, missingMs, medianMs, fromMs, toMs }: Difference): string => `| ${title} | ${ms(othersMs)} | ${ms(missingMs)} | ${ms(medianMs)} | ${ms(fromMs)} to ${ms(toMs)} |`;

function report(rows: readonly [string, Difference][]): string {
  const told = rows.filter(([, difference]) => isTold(difference));
  return [
    `${options.pairs} pairs each (${new Date().toISOString().slice(0, 10)}), over loopback: ${told.length === 0 ? 'none of the intervals leaves out zero' : `told apart by time: ${told.map(([title]) => title).join('; ')}`}.`,
    '',
    "| asked for | another's, ms | missing, ms | difference, ms | 99 % interval, ms |",
    '|---|---|---|---|---|',
    ...rows.map(([title, difference]) => lineOf(title, difference)),
    '',
  ].join('\n');
}

// What still runs when the platform could not be started ends with this process.
main().then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
