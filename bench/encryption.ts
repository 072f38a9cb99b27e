import type { Client } from '@temporalio/client';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { createPlatformClients } from '../src/adapters/aws/clients';
import { createTenantAccess } from '../src/adapters/aws/tenant-access';
import { createAdapters } from '../src/composition';
import { loadConfig } from '../src/config';
import { accessPurposes } from '../src/contracts/names';
import { createLogger } from '../src/logging';
import type { Arm } from './arms/arm';
import { quantile } from './measure';

/** What encrypting histories, and credentials by tenant and purpose, cost a turn of Tenure. */
export interface EncryptionCost {
  readonly payloadsPerTurn: number;
  readonly plainBytesPerTurn: number;
  readonly sealedBytesPerTurn: number;
  /** Processor time of encrypting every payload of a turn once, data key in memory. */
  readonly sealMsPerTurn: number;
  readonly openMsPerTurn: number;
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
  const adapters = createAdapters(config, createLogger('export', 'silent'));
  try {
    return { ...(await codecCost(adapters.dataConverter.payloadCodecs[0], arm, { client, prompt })), ...(await credentialsCost(config.aws)) };
  } finally {
    await adapters.close();
  }
}

async function codecCost(codec: PayloadCodec, arm: Arm, { client, prompt }: { readonly client: Client; readonly prompt: string }) {
  const conversation = await arm.openSession();
  for (let turn = 0; turn < turns; turn += 1) await conversation.ask(prompt);
  const workflowId = conversation.workflowId ?? '';
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const context = { type: 'workflow', namespace: 'default', workflowId } as const;
  const sealed = payloadsIn(events).filter(({ metadata }) => metadata?.['encoding'] && Buffer.from(metadata['encoding']).toString() === 'binary/encrypted');
  const plain = await codec.decode(sealed, context);
  // Warm, as a process that runs.
  for (let round = 0; round < rounds; round += 1) await codec.decode(await codec.encode(plain, context), context);
  return {
    payloadsPerTurn: sealed.length / turns,
    plainBytesPerTurn: sizeOf(plain) / turns,
    sealedBytesPerTurn: sizeOf(sealed) / turns,
    sealMsPerTurn: (await cpuMsOf(() => codec.encode(plain, context))) / turns,
    openMsPerTurn: (await cpuMsOf(() => codec.decode(sealed, context))) / turns,
  };
}

function payloadsIn(value: unknown): Payload[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  if ('metadata' in value && 'data' in value && value.data instanceof Uint8Array) return [value as Payload];
  return Object.values(value).flatMap(payloadsIn);
}

const sizeOf = (payloads: readonly Payload[]): number => payloads.reduce((sum, payload) => sum + temporal.api.common.v1.Payload.encode(payload).finish().length, 0);

/** Processor time of one call, mean of many. */
async function cpuMsOf(call: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round += 1) await call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / rounds;
}

async function credentialsCost(settings: ReturnType<typeof loadConfig>['aws']) {
  const access = createTenantAccess({ sts: createPlatformClients(settings).sts, settings });
  const get = (purpose: (typeof accessPurposes)[number]) => access.clients(tenantId, purpose).table.config.credentials();
  const coldMs: number[] = [];
  for (const purpose of accessPurposes) {
    const startedAtMs = performance.now();
    await get(purpose);
    coldMs.push(performance.now() - startedAtMs);
  }
  return { coldCredentialsMs: quantile(coldMs, 0.5), warmCredentialsMs: await cpuMsOf(() => get('session-step')) };
}
