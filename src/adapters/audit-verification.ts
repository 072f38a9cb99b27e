import { AuditEntry, AuditExportHeader, beforeFirst, SignedCheckpoint } from '../contracts/audit';
import type { PublicKey } from '../contracts/public-key';
import type { AuditHead } from '../ports/audit';
import { checkpointType, misfitOf } from './audit-chain';
import { checkSignature } from './statement-signature';

/** What a verification found out about an export. */
export interface AuditVerification {
  readonly chain: string;
  /** Entries in the file. */
  readonly entries: number;
  readonly firstSeq: number | undefined;
  readonly lastSeq: number | undefined;
  /** Signed heads that fit, that of the export included. */
  readonly checkpoints: number;
  /** When the export was signed. */
  readonly exportedAt: string | undefined;
  /** What does not hold, in words; empty when the export is as it was written. */
  readonly problems: readonly string[];
}

/** More says nothing more. */
const mostProblems = 20;

/**
 * Checks an export line by line, without asking anybody and in constant memory but for its checkpoints.
 *
 * @param trusted - the platform's key.
 * @param witnesses - checkpoints somebody kept elsewhere: the export must agree with those it reaches.
 */
export async function verifyAuditExport(lines: AsyncIterable<string>, trusted: PublicKey, witnesses: readonly SignedCheckpoint[] = []): Promise<AuditVerification> {
  const check = new ExportCheck(trusted);
  for (const witness of witnesses) await check.expect(witness, 'A checkpoint that was kept elsewhere');
  let number = 0;
  for await (const line of lines) {
    number += 1;
    if (line.trim() !== '') await check.read(line, number);
  }
  return check.conclude();
}

class ExportCheck {
  private readonly problems: string[] = [];
  private header: AuditExportHeader | undefined;
  private head: AuditHead | undefined;
  private first: number | undefined;
  private entries = 0;
  private checkpoints = 0;
  private seal: SignedCheckpoint | undefined;
  private lastScheduled: number | undefined;
  /** Hashes that signed checkpoints say, of entries still to come, by their numbers. */
  private readonly expected = new Map<number, { hash: string; who: string }>();

  constructor(private readonly key: PublicKey) {}

  async read(line: string, number: number): Promise<void> {
    const value = parsed(line);
    if (this.seal) this.note(`Line ${number} stands behind the end of the export.`);
    const checkpoint = SignedCheckpoint.safeParse(value);
    if (checkpoint.success) await this.meet(checkpoint.data);
    else if (AuditEntry.safeParse(value).success) this.add(value as AuditEntry);
    else if (!this.header && AuditExportHeader.safeParse(value).success) this.begin(value as AuditExportHeader);
    else this.note(`Line ${number} is neither an entry nor a checkpoint.`);
  }

  /** Somebody signed that an entry has this hash. @param who - how the signed checkpoint is called when it does not agree. */
  async expect({ checkpoint, signature }: SignedCheckpoint, who: string): Promise<boolean> {
    if ((await checkSignature(checkpoint, signature, this.key, checkpointType)) !== 'valid') {
      this.note(`${who} (of entry ${checkpoint.seq}) is not signed with the key you trust, or was changed.`);
      return false;
    }
    if (this.header && checkpoint.chain !== this.header.chain) this.note(`${who} is of another log: ${checkpoint.chain}.`);
    else this.expected.set(checkpoint.seq, { hash: checkpoint.hash, who });
    return true;
  }

  conclude(): AuditVerification {
    if (!this.header) this.note('It is not an export of an audit log: its first line is missing.');
    if (!this.seal) this.note('It was cut off: the signature over the whole export is not at its end.');
    for (const [seq, { who }] of this.expected) if (seq > (this.head?.seq ?? 0)) this.note(`${who} says that there is an entry ${seq}, and there is none: the end is missing.`);
    return {
      chain: this.header?.chain ?? '',
      entries: this.entries,
      firstSeq: this.first,
      lastSeq: this.entries > 0 ? this.head?.seq : undefined,
      checkpoints: this.checkpoints,
      exportedAt: this.seal?.checkpoint.signedAt,
      problems: this.problems,
    };
  }

  private begin(header: AuditExportHeader): void {
    this.header = header;
    // What is before the first entry of the file is not in it: its hash is taken from there.
    if (header.after === 0) this.head = { seq: 0, hash: beforeFirst };
  }

  private add(entry: AuditEntry): void {
    const head = this.head ?? { seq: this.header?.after ?? 0, hash: entry.prev };
    this.entries += 1;
    this.first ??= entry.seq;
    const misfit = misfitOf(head, entry, this.header?.chain ?? entry.chain);
    if (misfit !== undefined) this.note(misfit);
    this.agree({ seq: head.seq, hash: head.hash });
    // An entry out of its place must not make all behind it look wrong.
    this.head = entry.seq > head.seq ? { seq: entry.seq, hash: entry.hash } : head;
    this.agree(this.head);
  }

  /** Whether an entry is the one that was signed. */
  private agree({ seq, hash }: AuditHead): void {
    const expected = this.expected.get(seq);
    if (!expected) return;
    this.expected.delete(seq);
    if (expected.hash === hash) this.checkpoints += 1;
    else this.note(`${expected.who} was signed over another entry ${seq}: the log was written anew up to there.`);
  }

  private async meet(signed: SignedCheckpoint): Promise<void> {
    const { kind, seq, previous, after } = signed.checkpoint;
    const isExport = kind === 'export';
    if (!(await this.expect(signed, isExport ? 'The signature over the export' : 'The scheduled checkpoint'))) return;
    if (previous !== undefined && previous > (this.header?.after ?? 0) && previous !== this.lastScheduled) this.note(`The checkpoint of entry ${previous} is missing.`);
    if (isExport) {
      this.seal = signed;
      if (after !== this.header?.after) this.note(`The export was signed from behind entry ${after ?? 0} on, and begins behind ${this.header?.after ?? 0}.`);
      if (this.head && seq < this.head.seq) this.note(`The export was signed up to entry ${seq}, and goes on to ${this.head.seq}.`);
    } else this.lastScheduled = seq;
    if (this.head) this.agree(this.head);
  }

  private note(problem: string): void {
    if (this.problems.length < mostProblems) this.problems.push(problem);
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}
