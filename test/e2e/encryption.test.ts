import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DisableKeyCommand, EnableKeyCommand, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { Client, Connection } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { Redis } from 'iovalkey';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { createTenantRegistry } from '../../src/adapters/aws/tenant-registry';
import { ApiProblem } from '../../src/cli/api-client';
import type { Operation } from '../../src/contracts/operation';
import { loadConfig } from '../../src/config';
import { workflowIds } from '../../src/contracts/names';
import type { User } from '../../src/local/demo/user';
import { type RunningPlatform, runPlatform } from '../../campaign/running-platform';

const { EVENT_TYPE_WORKFLOW_TASK_FAILED } = temporal.api.enums.v1.EventType;

let platform: RunningPlatform;
let connection: Connection;
let client: Client;

beforeAll(async () => {
  // The logs of both processes at their most talkative.
  process.env['LOG_LEVEL'] = 'debug';
  platform = await runPlatform();
  connection = await Connection.connect({ address: platform.stack.env['TEMPORAL_ADDRESS'] ?? '' });
  // Without the codec: what whoever has Temporal's data sees.
  client = new Client({ connection });
});

afterAll(async () => {
  await connection.close();
  await platform.stop();
});

const settings = () => loadConfig({ ...platform.stack.env });

/** Waits for a state that is sure to come, and looks often. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(50);
}

const refusalOf = (call: Promise<unknown>): Promise<string | undefined> =>
  call.then(
    () => undefined,
    (error: unknown) => (error instanceof ApiProblem ? error.code : String(error)),
  );

/** What the workflow was started with, as it stands in its history. */
async function inputOf(workflowId: string) {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const payload = events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0] as Payload;
  const base64 = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString('base64');
  return { metadata: Object.fromEntries(Object.entries(payload.metadata ?? {}).map(([name, value]) => [name, base64(value)])), data: base64(payload.data) };
}

/** In plain text, by the codec server. */
async function decoded(workflowId: string): Promise<unknown> {
  const body = { payloads: [await inputOf(workflowId)] };
  const answer = await platform.api.call<{ payloads: { data: string }[] }>('/codec/decode', { method: 'POST', token: platform.operator, body });
  return JSON.parse(Buffer.from(answer.payloads[0]?.data ?? '', 'base64').toString());
}

/** Once, without patience. */
const read = ({ tenantId, token }: User, sessionId: string) => platform.api.call(`/api/v1/tenants/${tenantId}/sessions/${sessionId}/events?after=0`, { token });

/** What they have in memory is gone; both come back by themselves. */
async function restartProcesses(): Promise<void> {
  const { api, worker } = platform.services;
  api.kill('SIGKILL');
  worker.kill('SIGKILL');
  await until(() => platform.api.call('/healthz').then(() => true, () => false));
}

/** All that Valkey holds: names and contents. */
async function inValkey(): Promise<string> {
  const valkey = new Redis(settings().valkey.url);
  try {
    // Dumps are compressed otherwise, and words in them are not found.
    await valkey.config('SET', 'rdbcompression', 'no');
    const keys = await valkey.keys('*');
    const dumps = await Promise.all(keys.map((key) => valkey.dumpBuffer(key)));
    return [...keys, ...dumps.map((dump) => dump.toString('latin1'))].join('\n');
  } finally {
    valkey.disconnect();
  }
}

async function inFiles(directory: string, isMeant: (name: string) => boolean): Promise<string> {
  const names = (await readdir(directory)).filter(isMeant);
  return (await Promise.all(names.map((name) => readFile(path.join(directory, name), 'latin1')))).join('\n');
}

/** Guarantees that whoever gets hold of Temporal's database, of Valkey or of the logs reads no word of a tenant's. */
it('leaves no word of a conversation, of a prompt or of a request in Temporal, in Valkey or in the logs', async () => {
  const canary = (where: string) => `canary${where}${process.pid}`;
  const [name, prompt, fact, url, answer] = [canary('name'), canary('prompt'), canary('fact'), canary('url'), canary('answer')];
  const nowhere = `http://${canary('nowhere')}.invalid`;
  const agent = { systemPrompt: `You are ${prompt}.`, allowedOrigins: [nowhere] };
  const request = { tenantId: 'canaries', displayName: name, administrator: { email: `${canary('admin')}@canaries.example` }, agent };
  const { operationId } = await platform.api.call<Operation>('/api/v1/tenants', { method: 'POST', token: platform.operator, body: request });
  expect((await platform.ended({ operationId })).state).toBe('completed');
  const user = await platform.user('canaries');
  await platform.model.script({ match: canary('question'), steps: [{ say: `The answer is ${answer}.` }] });
  const sessionId = await user.open();
  expect((await user.ask(sessionId, `Store my preference: ${fact}`)).answer).toContain(fact);
  // Not an origin the agent may call: the refusal names it.
  expect((await user.ask(sessionId, `Fetch http://${url}.example/`)).outcome).toBe('completed');
  // It may call this one, which is not there: each attempt fails in Temporal, and names it.
  expect((await user.ask(sessionId, `Fetch ${nowhere}/`)).entries).toContainEqual(expect.objectContaining({ type: 'tool.failed', code: 'tool/unreachable' }));
  expect((await user.ask(sessionId, `Tell me ${canary('question')}`)).answer).toContain(answer);
  expect(JSON.stringify(await decoded(workflowIds.operation(operationId)))).toContain(prompt);

  const places = {
    temporal: await inFiles(platform.stateDir, (file) => file.startsWith('temporal.db')),
    valkey: await inValkey(),
    logs: await inFiles(path.join(platform.stateDir, 'logs'), () => true),
  };
  // What must be there is: these are the places.
  expect(places.temporal).toContain(workflowIds.session('canaries', sessionId));
  expect(places.temporal).toContain('binary/encrypted');
  expect(places.valkey).toContain(`{canaries}/live/${sessionId}`);
  expect(places.logs).toContain('worker ready');
  for (const [place, content] of Object.entries(places)) expect([place, ...(content.match(/canary[a-z]+\d+/g) ?? [])]).toEqual([place]);
});

describe("a tenant's key", () => {
  const kms = () => createPlatformClients(settings().aws).kms;
  const keyOf = async (tenantId: string) => {
    const KeyId = (await createTenantRegistry(createPlatformClients(settings().aws)).get(tenantId))?.infrastructure?.keyArn;
    return { KeyId: KeyId ?? '' };
  };

  it('makes all unreadable while it is disabled; enabled again, the turn that waited completes and the session goes on', async () => {
    await platform.onboard('acme');
    const user = await platform.user('acme');
    const key = await keyOf('acme');
    const sessionId = await user.open();
    const workflowId = workflowIds.session('acme', sessionId);
    await platform.model.script({ match: 'hold on', steps: [{ say: 'one two three', holdAfter: 1 }, { say: 'one two three' }] });
    const turn = user.ask(sessionId, 'hold on');
    await until(async () => (await platform.model.holding('hold on')) === 1);
    expect(await decoded(workflowId)).toMatchObject({ sessionId });

    await kms().send(new DisableKeyCommand(key));
    await restartProcesses();
    expect(await refusalOf(decoded(workflowId))).toBe('key/unavailable');
    expect(await refusalOf(read(user, sessionId))).toBe('key/unavailable');
    const pending = async () => (await client.workflow.getHandle(workflowId).describe()).raw.pendingActivities?.[0];
    await until(async () => (await pending())?.lastFailure?.applicationFailureInfo != null);
    // Nothing of what failed is told in plain words, and that it cannot be is.
    expect((await pending())?.lastFailure?.message).toBe('Encoded failure');
    await client.workflow.getHandle(workflowId).signal('poke');
    await until(async () => ((await client.workflow.getHandle(workflowId).fetchHistory()).events ?? []).some(({ eventType }) => eventType === EVENT_TYPE_WORKFLOW_TASK_FAILED));

    await kms().send(new EnableKeyCommand(key));
    await platform.model.release('hold on');
    expect(await turn).toMatchObject({ outcome: 'completed', answer: 'one two three' });
    expect(await decoded(workflowId)).toMatchObject({ sessionId });
    expect(await user.ask(sessionId, 'What is 6*7?')).toMatchObject({ outcome: 'completed', answer: '6*7 is 42.' });

    await kms().send(new ScheduleKeyDeletionCommand({ ...key, PendingWindowInDays: 7 }));
    await restartProcesses();
    expect(await refusalOf(decoded(workflowId))).toBe('key/unavailable');
    expect(await refusalOf(read(user, sessionId))).toBe('key/unavailable');
  });

  it('takes the histories of sessions along when the tenant leaves, and not that of its leaving', async () => {
    await platform.onboard('beta');
    const user = await platform.user('beta');
    const sessionId = await user.open();
    await user.ask(sessionId, 'What is 6*7?');
    const { operationId } = await platform.api.call<Operation>('/api/v1/tenants/beta?graceSeconds=0', { method: 'DELETE', token: platform.operator });
    expect((await platform.ended({ operationId })).state).toBe('completed');
    await restartProcesses();
    expect(await refusalOf(decoded(workflowIds.session('beta', sessionId)))).toBe('key/unavailable');
    expect(await decoded(workflowIds.operation(operationId))).toMatchObject({ operationId, request: { tenantId: 'beta' } });
  });
});
