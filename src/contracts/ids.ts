import { createHash } from 'node:crypto';
import { ulid } from 'ulid';

const prefixes = { session: 'ses', turn: 'turn', attachment: 'att', approval: 'apr', decision: 'dec', question: 'qst', answer: 'ans', operation: '', backup: 'bak', request: 'req', apiKey: '', machineClient: '', rotation: '', publication: '', run: 'run', undo: 'undo' } as const;
type IdKind = keyof typeof prefixes;

const prefixed = (kind: IdKind, unique: string) => (prefixes[kind] ? `${prefixes[kind]}-${unique}` : unique);

/** A new id: lower-case ULID, so that ids sort by time. */
export const newId = (kind: IdKind): string => prefixed(kind, ulid().toLowerCase());

/** Of what a request makes: the same for the same Idempotency-Key and parts, a new one without a key. */
export const idFor = (kind: IdKind, idempotencyKey: string | undefined, ...parts: readonly string[]): string => (idempotencyKey === undefined ? newId(kind) : derivedId(kind, ...parts, idempotencyKey));

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** The same parts give the same id: a request repeated with its Idempotency-Key finds what it made the first time. */
export function derivedId(kind: IdKind, ...parts: readonly string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest();
  return prefixed(kind, Array.from(digest.subarray(0, 26), (byte) => alphabet[byte % 32]).join(''));
}
