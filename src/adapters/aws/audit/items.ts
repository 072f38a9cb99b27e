import type { AuditEntry } from '../../../contracts/audit';
import { platformResources } from '../../../contracts/names';
import type { AuditHead } from '../../../ports/audit';
import { emptyChain } from '../../audit-chain';
import type { PlatformClients } from '../clients';

export const TableName = platformResources.auditTable;

export type Table = PlatformClients['table'];

/** An item: entries that were written together. */
export interface Batch {
  readonly sk: string;
  readonly entries: readonly AuditEntry[];
  /** Of the attempt that wrote it: an answer that was lost is no reason to write twice. */
  readonly writeId: string;
  /** Unix seconds; never less than that of the batch before. */
  readonly expiresAt: number;
}

/** Where a chain ends. */
export interface Head extends AuditHead {
  readonly expiresAt: number;
}

/** Of a chain that has no entry yet. */
export const start: Head = { ...emptyChain, expiresAt: 0 };

export const headOf = ({ entries, expiresAt }: Batch): Head => {
  const { seq, hash } = entries.at(-1) ?? emptyChain;
  return { seq, hash, expiresAt };
};

export const nowSeconds = (): number => Math.floor(Date.now() / 1_000);
