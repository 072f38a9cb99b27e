import { createHash } from 'node:crypto';
import { type AuditEntry, type AuditEvent, beforeFirst } from '../contracts/audit';
import type { AuditHead } from '../ports/audit';
import { canonical } from './statement-signature';

/** Media type of a signed checkpoint. */
export const checkpointType = 'tenure-audit-checkpoint+jws';

export const emptyChain: AuditHead = { seq: 0, hash: beforeFirst };

/** Of an entry, over all it says but the hash itself: what no schema names counts, too. */
export const hashOf = (entry: Omit<AuditEntry, 'hash'>): string => createHash('sha256').update(canonical({ ...entry, hash: undefined })).digest('hex');

/** Gives events their places behind a head. */
export function link(chain: string, head: AuditHead, events: readonly AuditEvent[]): AuditEntry[] {
  let { seq, hash: prev } = head;
  return events.map((event) => {
    seq += 1;
    const entry = { ...event, chain, seq, prev };
    const hash = hashOf(entry);
    prev = hash;
    return { ...entry, hash };
  });
}

/** Why an entry cannot stand behind this head, in words. Undefined: it does. */
export function misfitOf(head: AuditHead, entry: AuditEntry, chain: string): string | undefined {
  const { seq, prev, hash } = entry;
  if (entry.chain !== chain) return `An entry of ${entry.chain} stands in the chain of ${chain}, behind entry ${head.seq}.`;
  if (seq > head.seq + 1) return seq === head.seq + 2 ? `Entry ${head.seq + 1} is missing.` : `Entries ${head.seq + 1} to ${seq - 1} are missing.`;
  if (seq <= head.seq) return `Entry ${seq} stands behind entry ${head.seq}: it was moved, or is there twice.`;
  if (hashOf(entry) !== hash) return `Entry ${seq} was changed: its hash is not that of what it says.`;
  if (prev !== head.hash) return `Entry ${seq} does not follow from entry ${head.seq}: one of them was replaced.`;
  return undefined;
}
