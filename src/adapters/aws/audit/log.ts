import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { type AuditCheckpoint, checkpointFormat, type SignedCheckpoint } from '../../../contracts/audit';
import { DomainError } from '../../../contracts/errors';
import { auditKeys, platformResources } from '../../../contracts/names';
import type { AuditHead, AuditLog } from '../../../ports/audit';
import { checkpointType, emptyChain, misfitOf } from '../../audit-chain';
import type { PlatformClients } from '../clients';
import { unlessRefused } from '../failures';
import { createSigner } from '../signer';
import { nowSeconds, TableName } from './items';
import { createReader, type Reader } from './reader';
import { createWriter, retentionSeconds } from './writer';

/** Chains of batches in table `tenure-audit`, each put where the chain ends and only if the place is free. See docs/decisions/0054-audit-log.md. */
export function createAuditLog({ table, kms }: Pick<PlatformClients, 'table' | 'kms'>): AuditLog {
  const reader = createReader(table);
  const { append } = createWriter(table, reader);
  const signer = createSigner(kms, platformResources.auditKeyAlias, checkpointType);

  async function signed(checkpoint: AuditCheckpoint): Promise<SignedCheckpoint> {
    const { signature } = await signer.sign(checkpoint);
    return { checkpoint, signature };
  }

  return {
    append,
    ...reader,

    async sign(chain) {
      const { checkpoint: last } = (await reader.lastCheckpoint(chain)) ?? {};
      let head: AuditHead = last ?? emptyChain;
      if (last) await mustHold(reader, last);
      for await (const entry of reader.read(chain, { after: head.seq })) {
        const misfit = head.seq === 0 && entry.seq > 1 ? undefined : misfitOf(head, entry, chain);
        if (misfit !== undefined) throw new DomainError('audit/broken', misfit);
        head = entry;
      }
      const { seq, hash } = head;
      if (seq === (last?.seq ?? 0)) return { seq, hash, isNew: false };
      const previous = last && { previous: last.seq };
      const checkpoint = await signed({ format: checkpointFormat, kind: 'scheduled', chain, seq, hash, ...previous, signedAt: new Date().toISOString() });
      // Gone before the entry it speaks of.
      const Item = { chain, sk: auditKeys.checkpoint(seq), ...checkpoint, expiresAt: nowSeconds() + retentionSeconds - 86_400 };
      await unlessRefused(table.send(new PutCommand({ TableName, Item, ConditionExpression: 'attribute_not_exists(sk)' })), () => undefined);
      return { seq, hash, isNew: true };
    },

    seal: ({ chain, after, head: { seq, hash }, previous }) =>
      signed({ format: checkpointFormat, kind: 'export', chain, seq, hash, after, ...(previous !== undefined && { previous }), signedAt: new Date().toISOString() }),

    key: signer.key,
  };
}

/** What was signed is still there as it was. @throws DomainError `audit/broken` */
async function mustHold(reader: Reader, { chain, seq, hash }: AuditCheckpoint): Promise<void> {
  for await (const entry of reader.read(chain, { after: seq - 1, upTo: seq })) {
    const misfit = misfitOf({ seq: seq - 1, hash: entry.prev }, entry, chain);
    if (misfit !== undefined || entry.hash !== hash) throw new DomainError('audit/broken', misfit ?? `Entry ${seq} is not the one that was signed.`);
    return;
  }
  throw new DomainError('audit/broken', `Entry ${seq} was signed, and is not there any more.`);
}
