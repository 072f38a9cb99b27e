import { createHash } from 'node:crypto';
import type { BackupContentName, ContentSummary } from '../../../contracts/backup';
import { type BackupRecord, invariantOf, type MapUser, stableJson } from '../../../domain/backup-content';

const modulus = 1n << 256n;

/** Sums up records of one content as {@link invariantOf} has them: the sum of their SHA-256 modulo 2^256, so that order does not count. */
export class ContentTally {
  constructor(
    readonly content: BackupContentName,
    private readonly whose: { tenantId: string; map: MapUser },
    private records = 0,
    private sum = 0n,
  ) {}

  /** Goes on with what was counted before. */
  static from({ content, records, contentHash }: ContentSummary, whose: { tenantId: string; map: MapUser }): ContentTally {
    return new ContentTally(content, whose, records, BigInt(`0x${contentHash}`));
  }

  get count(): number {
    return this.records;
  }

  add(record: BackupRecord): void {
    const digest = createHash('sha256').update(stableJson(invariantOf(this.content, record, this.whose))).digest('hex');
    this.sum = (this.sum + BigInt(`0x${digest}`)) % modulus;
    this.records += 1;
  }

  summary(): ContentSummary {
    return { content: this.content, records: this.records, contentHash: this.sum.toString(16).padStart(64, '0') };
  }
}
