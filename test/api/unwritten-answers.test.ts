import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { AwsProxy } from '../../campaign/wire/aws-proxy';
import { type Rule, RuleBook } from '../../campaign/wire/rules';
import { type Adapters, createAdapters } from '../../src/composition';
import { loadConfig } from '../../src/config';
import type { SessionEvent } from '../../src/contracts/events';
import { groups } from '../../src/contracts/names';
import type { ServedTenant } from '../../src/contracts/tenant';
import { modelControl } from '../../src/local/model/control';
import { createLogger } from '../../src/logging';
import { type Account, newTenant, signUp } from './accounts';
import { type RunningApi, startApi } from './running-api';
import { startWorkers } from './workers';

/** What an answer has cost is in the log, once, whatever happens on the wire to the write that was to hold it. */

const model = modelControl(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');
/** DynamoDB's client tries so often by itself. */
const tries = 3;

let api: RunningApi;
let stopWorkers: () => Promise<void>;
let tenant: ServedTenant;
let alice: Account;
let wire: AwsProxy;
let adapters: Adapters;
const rules = new RuleBook();

beforeAll(async () => {
  const config = loadConfig();
  wire = new AwsProxy(config.aws.endpoint ?? '', rules);
  const [endpoint, running, served] = await Promise.all([wire.start(), startApi(), newTenant()]);
  [api, tenant] = [running, served];
  alice = await signUp(tenant, [groups.members]);
  adapters = createAdapters({ ...config, aws: { ...config.aws, endpoint } }, createLogger('worker', 'fatal'));
  stopWorkers = await startWorkers(adapters, [tenant.tenantId]);
});
afterEach(() => rules.clear());
afterAll(async () => {
  await stopWorkers();
  await Promise.all([api.stop(), adapters.close()]);
  wire.stop();
});

const [first, second] = [{ inputTokens: 100, outputTokens: 20 }, { inputTokens: 3, outputTokens: 4 }];
const refuse = { kind: 'refuse', code: 'InternalServerError', status: 500 } as const;
const wasted = { type: 'usage.wasted', usage: first };
const recorded = { type: 'usage.recorded', usage: second };

it.each<[string, { hurt: Record<string, z.input<typeof Rule>['fault']>; calls?: number; expected: object[] }]>([
  ['is refused', { hurt: { '/1/completed': refuse }, expected: [wasted, recorded] }],
  ['is refused, and so is what it has cost', { hurt: { '/1/completed': refuse, '/wasted/': refuse }, expected: [recorded, wasted] }],
  // The model is given up before it says what that costs.
  ['of how the turn begins is refused', { hurt: { '/1/started': refuse }, expected: [recorded, { type: 'usage.wasted' }] }],
  ['is done, and nobody hears of it', { hurt: { '/1/completed': { kind: 'lose-answer' } }, calls: 1, expected: [{ type: 'usage.recorded', usage: first }] }],
])('counts what was served when the write %s', async (what, { hurt, calls = 2, expected }) => {
  const prompt = `the write ${what}.`;
  const sessionId = randomUUID();
  // The turn begins in the log before its answer is there.
  await model.script({ match: prompt, steps: [{ say: 'one two', usage: first, firstTokenMs: 200 }, { say: 'three', usage: second }] });
  const active = Object.entries(hurt).map(([key, fault]) => rules.add({ match: { service: 'dynamodb', action: 'PutItem', includes: [sessionId, key] }, fault, count: tries }));
  const { body } = await api.send<{ outcome: string }>(`/api/v1/tenant/${tenant.tenantId}/agent`, { method: 'POST', token: alice.accessToken, body: { prompt, session_id: sessionId } });
  expect(body).toMatchObject({ outcome: 'completed' });
  expect(active.map(({ hits }) => hits)).toEqual(active.map(() => tries));
  const log = () => api.adapters.log.read({ tenantId: tenant.tenantId, sessionId }, { after: 0 });
  const paid = (events: readonly SessionEvent[]) => events.filter(({ type }) => type === 'usage.recorded' || type === 'usage.wasted');
  // What is handed on is written behind the turn's end.
  while (paid(await log()).length < expected.length);
  expect(paid(await log())).toMatchObject(expected);
  expect((await log())[0]).toMatchObject({ type: 'session.started' });
  expect((await model.served()).latest.filter(({ request }) => JSON.stringify(request.messages).includes(prompt))).toHaveLength(calls);
});
