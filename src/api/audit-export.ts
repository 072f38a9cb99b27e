import { type AuditEntry, type AuditExportHeader, auditFormat, type SignedCheckpoint } from '../contracts/audit';
import type { AuditHead, AuditLog } from '../ports/audit';

/**
 * The chain behind `after` up to a head, as `tenure audit verify` reads it: a header, the entries in order, each scheduled checkpoint behind the entry it
 * speaks of, and at the end a checkpoint of the export itself. That one is left out when the entries do not end where they should: nothing is signed
 * that was not seen.
 */
export async function* exportOf(audit: AuditLog, chain: string, after: number, head: AuditHead): AsyncGenerator<AuditExportHeader | AuditEntry | SignedCheckpoint> {
  yield { format: auditFormat, chain, after };
  const checkpoints = audit.checkpoints(chain, { after: Math.max(0, after - 1), upTo: head.seq })[Symbol.asyncIterator]();
  let next = await checkpoints.next();
  let last: AuditHead | undefined;
  let previous: number | undefined;
  for await (const entry of audit.read(chain, { after, upTo: head.seq })) {
    // What was signed and is not there stands where it should be: a reader sees both.
    while (!next.done && next.value.checkpoint.seq < entry.seq) {
      previous = next.value.checkpoint.seq;
      yield next.value;
      next = await checkpoints.next();
    }
    last = entry;
    yield entry;
  }
  for (; !next.done; next = await checkpoints.next()) {
    previous = next.value.checkpoint.seq;
    yield next.value;
  }
  const isWhole = last ? last.seq === head.seq && last.hash === head.hash : head.seq === after;
  if (isWhole) yield await audit.seal({ chain, after, head, ...(previous !== undefined && { previous }) });
}
