import { once } from 'node:events';
import type { Client } from '@temporalio/client';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { createPlatformClients } from '../src/adapters/aws/clients';
import { type BatchItem, createBatchBodies, createBatchTable } from '../src/adapters/aws/session-batches';
import { createMessageBodies } from '../src/adapters/aws/session-messages';
import { createTenantAccess, type TenantAccess } from '../src/adapters/aws/tenant-access';
import { createValkey } from '../src/adapters/valkey/connection';
import { liveCipherContext } from '../src/adapters/valkey/live-events';
import { createAdapters } from '../src/composition';
import { type Config, loadConfig } from '../src/config';
import { accessPurposes, sessionOfWorkflow, tableKeys, tenantResources, valkeyKeys } from '../src/contracts/names';
import { createLogger, type Logger } from '../src/logging';
import type { SessionRef } from '../src/contracts/session';
import type { TenantCipher } from '../src/ports/cipher';
import type { Arm } from './arms/arm';
import { median, type Sample } from './measure';

/** What is encrypted of a turn in one place, and what that costs. */
export interface Sealed {
  readonly what: string;
  readonly piecesPerTurn: number;
  readonly plainBytesPerTurn: number;
  readonly sealedBytesPerTurn: number;
  /** Processor time of encrypting every piece once, data key in memory. */
  readonly sealMsPerTurn: number;
  readonly openMsPerTurn: number;
}

/** What encrypting all that a turn leaves, and credentials by tenant and purpose, cost a turn of Tenure. */
export interface EncryptionCost {
  readonly sealed: readonly Sealed[];
  /** Until credentials for a tenant and purpose are there: median over the purposes. */
  readonly coldCredentialsMs: number;
  /** To get the client of a tenant and purpose whose credentials are there. */
  readonly warmCredentialsMs: number;
}

const turns = 10;
const rounds = 100;
const tenantId = 'bench';

/** @param asking - what the arm is asked, and the local stack's environment. */
export async function encryptionCost(arm: Arm, client: Client, { prompt, env }: { readonly prompt: string; readonly env: Readonly<Record<string, string>> }): Promise<EncryptionCost> {
  const config = loadConfig(env);
  const logger = createLogger('export', 'silent');
  const adapters = createAdapters(config, logger);
  const access = createTenantAccess({ sts: createPlatformClients(config.aws).sts, settings: config.aws });
  try {
    const credentials = await credentialsCost(access);
    const conversation = await arm.openSession();
    for (let turn = 0; turn < turns; turn += 1) await conversation.ask(prompt);
    const workflowId = conversation.workflowId ?? '';
    const session = { tenantId, sessionId: sessionOfWorkflow(workflowId) ?? '' };
    const sealed = [
      await historyCost(adapters.dataConverter.payloadCodecs[0], client, workflowId),
      ...(await tableCosts(access, adapters.cipher, session)),
      await streamCost(config, logger, adapters.cipher, session),
    ];
    return { sealed, ...credentials };
  } finally {
    await adapters.close();
  }
}

async function historyCost(codec: PayloadCodec, client: Client, workflowId: string): Promise<Sealed> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const context = { type: 'workflow', namespace: 'default', workflowId } as const;
  const sealed = payloadsIn(events).filter(({ metadata }) => metadata?.['encoding'] && Buffer.from(metadata['encoding']).toString() === 'binary/encrypted');
  const plain = await codec.decode(sealed, context);
  const bytesOf = (payloads: readonly Payload[]) => payloads.map((payload) => temporal.api.common.v1.Payload.encode(payload).finish());
  return costOf('payloads of the history, opening and closing of the session shared out', [bytesOf(plain), bytesOf(sealed)], {
    seal: () => codec.encode(plain, context),
    open: () => codec.decode(sealed, context),
  });
}

function payloadsIn(value: unknown): Payload[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  if ('metadata' in value && 'data' in value && value.data instanceof Uint8Array) return [value as Payload];
  return Object.values(value).flatMap(payloadsIn);
}

/** As the table holds them: the batches of the log, and the messages they tell of. */
async function tableCosts(access: TenantAccess, cipher: TenantCipher, session: SessionRef): Promise<Sealed[]> {
  const items: BatchItem[] = [];
  for await (const item of createBatchTable({ access }).chain(session, { after: 0, aligned: true })) items.push(item);
  const bodies = createBatchBodies({ access, cipher });
  const openLog = () => Promise.all(items.map((item) => bodies.open(session, item)));
  const events = await openLog();
  const turnIds = events.flat().flatMap((event) => (event.type === 'turn.started' ? [event.turnId] : []));
  const messageBodies = createMessageBodies({ cipher });
  const sealedMessages = await Promise.all(turnIds.map(async (turnId) => ({ turnId, sealed: await messageIn(access, session, turnId) })));
  const openMessages = () => Promise.all(sealedMessages.map(({ turnId, sealed }) => messageBodies.open(session, turnId, sealed)));
  const messages = await openMessages();
  return [
    await costOf('batches of the log', [events.map(jsonBytes), items.map(({ body }) => body)], {
      seal: () => Promise.all(items.map((item, index) => bodies.seal(session, item, events[index] ?? []))),
      open: openLog,
    }),
    await costOf('messages', [messages.map(jsonBytes), sealedMessages.map(({ sealed }) => sealed)], {
      seal: () => Promise.all(messages.map((message) => messageBodies.seal(session, message))),
      open: openMessages,
    }),
  ];
}

async function messageIn(access: TenantAccess, { sessionId }: SessionRef, turnId: string): Promise<Uint8Array> {
  const { Item } = await access.clients(tenantId, 'session-read').table.send(new GetCommand({ TableName: tenantResources(tenantId).table, Key: { pk: tableKeys.messages(sessionId), sk: turnId } }));
  return Item?.['body'] as Uint8Array;
}

/** What readers are told while it happens. */
async function streamCost(config: Config, logger: Logger, cipher: TenantCipher, { sessionId }: SessionRef): Promise<Sealed> {
  const valkey = createValkey(config.valkey.url, logger);
  try {
    await once(valkey.commands, 'ready');
    const kept = await valkey.commands.xrangeBuffer(valkeyKeys.live(tenantId, sessionId), '-', '+');
    const sealed = kept.map(([, fields]) => fields[1] ?? Buffer.alloc(0));
    const open = () => Promise.all(sealed.map((batch) => cipher.open(tenantId, liveCipherContext, batch)));
    const plain = await open();
    return await costOf('batches of the live stream', [plain, sealed], { seal: () => Promise.all(plain.map((batch) => cipher.seal(tenantId, liveCipherContext, batch))), open });
  } finally {
    await valkey.close();
  }
}

const jsonBytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** Of all that {@link turns} turns left in one place, plain and sealed. */
async function costOf(what: string, [plain, sealed]: readonly [readonly Uint8Array[], readonly Uint8Array[]], calls: { readonly seal: () => Promise<unknown>; readonly open: () => Promise<unknown> }): Promise<Sealed> {
  const sizeOf = (pieces: readonly Uint8Array[]) => pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  // Warm, as a process that runs.
  await Promise.all([cpuMsOf(calls.seal), cpuMsOf(calls.open)]);
  return {
    what,
    piecesPerTurn: sealed.length / turns,
    plainBytesPerTurn: sizeOf(plain) / turns,
    sealedBytesPerTurn: sizeOf(sealed) / turns,
    sealMsPerTurn: (await cpuMsOf(calls.seal)) / turns,
    openMsPerTurn: (await cpuMsOf(calls.open)) / turns,
  };
}

/** Processor time of one call, mean of many. */
async function cpuMsOf(call: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round += 1) await call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / rounds;
}

async function credentialsCost(access: TenantAccess): Promise<Pick<EncryptionCost, 'coldCredentialsMs' | 'warmCredentialsMs'>> {
  const get = (purpose: (typeof accessPurposes)[number]) => access.clients(tenantId, purpose).table.config.credentials();
  const coldMs: number[] = [];
  for (const purpose of accessPurposes) {
    const startedAtMs = performance.now();
    await get(purpose);
    coldMs.push(performance.now() - startedAtMs);
  }
  return { coldCredentialsMs: median(coldMs), warmCredentialsMs: await cpuMsOf(() => get('session-step')) };
}

/** @param samples - of the same run, to compare with. */
export function encryptionTable(cost: EncryptionCost, samples: readonly Sample[]): string[] {
  const totalMs = cost.sealed.reduce((sum, { sealMsPerTurn, openMsPerTurn }) => sum + sealMsPerTurn + openMsPerTurn, 0);
  const fewest = Math.min(...samples.map(({ clients }) => clients));
  const bare = samples.filter(({ arm, clients }) => arm === 'bare' && clients === fewest);
  const cpuMs = median(bare.map(({ cpuMsPerTurn, serverCpuMsPerTurn }) => cpuMsPerTurn + serverCpuMsPerTurn));
  const share = bare.length === 0 ? '' : `, ${((100 * totalMs) / cpuMs).toFixed(1)} % of the processor time of a bare turn (${fewest} client${fewest === 1 ? '' : 's'})`;
  return [
    '#### What encryption and credentials cost a turn',
    'Processor time; data keys in memory. Each piece is encrypted once, and decrypted once where it is used; of the log nothing is decrypted by a process that wrote it.',
    '',
    '| what | pieces | bytes, plain → encrypted | to encrypt, ms | to decrypt, ms |',
    '|---|---|---|---|---|',
    ...cost.sealed.map(
      ({ what, piecesPerTurn, plainBytesPerTurn, sealedBytesPerTurn, sealMsPerTurn, openMsPerTurn }) =>
        `| ${what} | ${piecesPerTurn.toFixed(1)} | ${plainBytesPerTurn.toFixed(0)} → ${sealedBytesPerTurn.toFixed(0)} | ${sealMsPerTurn.toFixed(3)} | ${openMsPerTurn.toFixed(3)} |`,
    ),
    '',
    `Together ${totalMs.toFixed(2)} ms${share}. Credentials for a tenant and purpose: from STS, once an hour, ${cost.coldCredentialsMs.toFixed(1)} ms; in memory ${cost.warmCredentialsMs.toFixed(4)} ms.`,
    '',
  ];
}
