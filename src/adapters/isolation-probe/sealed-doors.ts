import { randomUUID } from 'node:crypto';
import type { PayloadCodec } from '@temporalio/common';
import { codeOf } from '../../contracts/errors';
import { valkeyKeys, workflowIds } from '../../contracts/names';
import type { ServedTenant } from '../../contracts/tenant';
import type { TenantCipher } from '../../ports/cipher';
import type { Door } from '../../ports/isolation-probe';
import type { LiveEvents } from '../../ports/live-events';
import type { PlatformClients } from '../aws/clients';
import { createEnvelope } from '../aws/envelope';
import { calling, type Valkey } from '../valkey/connection';
import { tryDoor } from './refusals';

export interface SealedDoorDeps {
  readonly cipher: TenantCipher;
  readonly codec: PayloadCodec;
  readonly live: LiveEvents;
  readonly valkey: Valkey;
}

const canary = Buffer.from('isolation-probe');
const liveWithinMs = 2_000;

/**
 * What of a tenant lies where others' lies too: histories in Temporal, live streams in Valkey. Whoever reads them there holds
 * ciphertext; tried is to open it.
 */
export const sealedDoors = (as: PlatformClients, intruder: ServedTenant, deps: SealedDoorDeps): Door[] => [
  {
    kind: 'history',
    what: 'role: open a sealed payload',
    opensAtHome: true,
    async enter(target) {
      const { context, sealed } = await sealedFor(deps, target);
      return tryDoor(() => openAs(as, target, context, sealed));
    },
  },
  {
    kind: 'history',
    what: 'process: read a cached payload as one of its own workflow',
    opensAtHome: true,
    async enter(target) {
      const payload = { metadata: { encoding: Buffer.from('binary/plain') }, data: canary };
      const sealed = await deps.codec.encode([payload], { type: 'workflow', namespace: '', workflowId: workflowOf(target.tenantId) });
      return unlessUnreadable(deps.codec.decode(sealed, { type: 'workflow', namespace: '', workflowId: workflowOf(intruder.tenantId) }));
    },
  },
  {
    kind: 'history',
    what: 'process: open what is sealed, by a data key that is cached, in its own name',
    opensAtHome: true,
    async enter(target) {
      const { context, sealed } = await sealedFor(deps, target);
      return unlessUnreadable(deps.cipher.open(intruder.tenantId, context, sealed));
    },
  },
  {
    kind: 'liveStream',
    what: 'role: open an entry of a stream',
    opensAtHome: true,
    enter: (target) => enterStream(as, target, deps),
  },
  {
    kind: 'taskQueue',
    what: "role: ask Temporal for a queue's tasks",
    opensAtHome: false,
    untriable: 'No tenant has credentials of Temporal: the processes of the platform alone have. Payloads on the queue are tried as history.',
    enter: () => Promise.reject(new Error('No tenant has credentials of Temporal.')),
  },
];

/** As a worker seals what is in a history. */
async function sealedFor({ cipher }: SealedDoorDeps, { tenantId }: ServedTenant) {
  const context = { purpose: 'history', workflow: workflowOf(tenantId) };
  return { context, sealed: await cipher.seal(tenantId, context, canary) };
}

const workflowOf = (tenantId: string): string => workflowIds.session(tenantId, 'isolation-probe');

/** With a data key of nobody's cache: KMS is asked. */
async function openAs(as: PlatformClients, { tenantId, infrastructure: { keyArn } }: ServedTenant, context: Readonly<Record<string, string>>, sealed: Uint8Array): Promise<void> {
  const envelope = createEnvelope({ kms: () => as.kms, keyId: () => Promise.resolve(keyArn), keyContext: { tenant: tenantId } });
  await envelope.open({ ...context, tenant: tenantId }, sealed);
}

/** A payload of another is refused by its context, by KMS, or by its cipher text, whose error has no code. */
async function unlessUnreadable(opening: Promise<unknown>): Promise<'entered' | 'refused'> {
  try {
    await opening;
    return 'entered';
  } catch (error) {
    if (codeOf(error) === 'dependency/unavailable') throw error;
    return 'refused';
  }
}

/** Publishes an entry as a turn would, and reads what Valkey keeps of it. What is kept in plain text is open to everybody. */
async function enterStream(as: PlatformClients, target: ServedTenant, { live, valkey }: SealedDoorDeps): Promise<'entered' | 'refused'> {
  const session = { tenantId: target.tenantId, sessionId: `isolation-probe-${randomUUID()}` };
  const key = valkeyKeys.live(session.tenantId, session.sessionId);
  const following = await live.follow(session, { seq: 0, n: 0 });
  try {
    live.publish(session, [{ type: 'text.delta', turnId: 'probe', step: 1, afterSeq: 1, n: 1, text: canary.toString() }]);
    const arrived = await following.next(liveWithinMs);
    if (arrived.length === 0) throw new Error('No entry arrived on the stream.');
    const [[, fields] = ['', []]] = await calling(() => valkey.commands.xrangeBuffer(key, '-', '+'));
    const kept = fields[1];
    if (!kept) throw new Error('The stream kept no entry.');
    if (kept.includes(canary)) return 'entered';
    return await tryDoor(() => openAs(as, target, { purpose: 'live' }, kept));
  } finally {
    following.close();
    await calling(() => valkey.commands.del(key));
  }
}
