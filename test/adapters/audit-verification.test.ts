import { generateKeyPairSync, constants, sign as signWith, type KeyObject } from 'node:crypto';
import { emptyChain, checkpointType, link } from '../../src/adapters/audit-chain';
import { verifyAuditExport } from '../../src/adapters/audit-verification';
import { canonical, publicKeyOf } from '../../src/adapters/statement-signature';
import { type AuditCheckpoint, type AuditEntry, type AuditEvent, auditFormat, checkpointFormat, type SignedCheckpoint } from '../../src/contracts/audit';
import type { PublicKey } from '../../src/contracts/public-key';

const pair = () => generateKeyPairSync('rsa', { modulusLength: 2_048 });
const { publicKey, privateKey } = pair();
let trusted: PublicKey;
beforeAll(async () => {
  trusted = await publicKeyOf(publicKey.export({ format: 'jwk' }));
});

/** As KMS signs. */
async function signed(checkpoint: Omit<AuditCheckpoint, 'format' | 'signedAt'>, { key = privateKey, type = checkpointType }: { key?: KeyObject; type?: string } = {}): Promise<SignedCheckpoint> {
  const whole: AuditCheckpoint = { format: checkpointFormat, signedAt: '2026-11-25T00:00:00.000Z', ...checkpoint };
  const { kid } = await publicKeyOf(publicKey.export({ format: 'jwk' }));
  const protectedHeader = Buffer.from(canonical({ alg: 'PS256', kid, typ: type })).toString('base64url');
  const input = Buffer.from(`${protectedHeader}.${Buffer.from(canonical(whole)).toString('base64url')}`);
  const signature = signWith('sha256', input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
  return { checkpoint: whole, signature: { protected: protectedHeader, signature: signature.toString('base64url') } };
}

const event = (index: number): AuditEvent => ({ at: '2026-11-24T08:00:00.000Z', actor: { kind: 'operator', id: 'ann' }, action: 'a', object: `o/${index}`, outcome: 'done' });
const chainOf = (count: number, from = emptyChain) => link('acme', from, Array.from({ length: count }, (_, index) => event(index)));
const at = (entries: readonly AuditEntry[], index: number): AuditEntry => entries[index] as AuditEntry;

interface Parts {
  header: object;
  entries: AuditEntry[];
  scheduled: SignedCheckpoint;
  seal: SignedCheckpoint;
}

/** Ten entries, the first six of them signed by the clock. */
async function whole(): Promise<Parts> {
  const entries = chainOf(10);
  return {
    header: { format: auditFormat, chain: 'acme', after: 0 },
    entries,
    scheduled: await signed({ kind: 'scheduled', chain: 'acme', seq: 6, hash: at(entries, 5).hash }),
    seal: await signed({ kind: 'export', chain: 'acme', seq: 10, hash: at(entries, 9).hash, after: 0, previous: 6 }),
  };
}

const linesOf = ({ header, entries, scheduled, seal }: Parts): unknown[] => [header, ...entries.slice(0, 6), scheduled, ...entries.slice(6), seal];

async function* texts(lines: readonly unknown[]): AsyncGenerator<string> {
  for (const line of lines) yield await Promise.resolve(JSON.stringify(line));
}

const verify = (lines: readonly unknown[], witnesses: SignedCheckpoint[] = []) => verifyAuditExport(texts(lines), trusted, witnesses);

it('passes an export that is as it was written', async () => {
  expect(await verify(linesOf(await whole()))).toEqual({ chain: 'acme', entries: 10, firstSeq: 1, lastSeq: 10, checkpoints: 2, exportedAt: '2026-11-25T00:00:00.000Z', problems: [] });
});

it('passes an export that begins in the middle, and one of an empty log', async () => {
  const all = chainOf(10);
  const seal = await signed({ kind: 'export', chain: 'acme', seq: 10, hash: at(all, 9).hash, after: 4 });
  expect(await verify([{ format: auditFormat, chain: 'acme', after: 4 }, ...all.slice(4), seal])).toMatchObject({ firstSeq: 5, lastSeq: 10, problems: [] });
  const empty = await signed({ kind: 'export', chain: 'acme', seq: 0, hash: emptyChain.hash, after: 0 });
  expect(await verify([{ format: auditFormat, chain: 'acme', after: 0 }, empty])).toMatchObject({ entries: 0, problems: [] });
});

type Tampering = (parts: Parts) => unknown[] | Promise<unknown[]>;

/** The whole chain with one entry said otherwise, its hashes all made anew. */
const rewritten = (entries: readonly AuditEntry[], index: number): AuditEntry[] =>
  link('acme', emptyChain, entries.map((_, other) => (other === index ? { ...event(other), object: 'nothing to see' } : event(other))));

const tamperings: Record<string, [Tampering, RegExp]> = {
  'an entry was removed': [(parts) => linesOf(parts).filter((line) => line !== parts.entries[3]), /Entry 4 is missing/],
  'several were removed': [(parts) => linesOf(parts).filter((line) => !parts.entries.slice(7, 9).includes(line as AuditEntry)), /Entries 8 to 9 are missing/],
  'an entry was changed': [(parts) => linesOf(parts).map((line) => (line === parts.entries[3] ? { ...parts.entries[3], object: 'other' } : line)), /Entry 4 was changed/],
  'an entry was replaced by another, with a hash of its own': [
    (parts) => linesOf(parts).map((line) => (line === parts.entries[7] ? link('acme', at(parts.entries, 6), [event(99)])[0] : line)),
    /Entry 9 does not follow from entry 8/,
  ],
  'something was added to an entry': [(parts) => linesOf(parts).map((line) => (line === parts.entries[3] ? { ...parts.entries[3], note: 'by the way' } : line)), /Entry 4 was changed/],
  'two were exchanged': [
    ({ entries: [one, two, three, four, ...others], ...parts }) => linesOf({ ...parts, entries: [one, two, four, three, ...others] as AuditEntry[] }),
    /Entry 3 is missing|Entry 3 stands behind entry 4/,
  ],
  'an entry is there twice': [({ entries, ...parts }) => linesOf({ ...parts, entries: [...entries, at(entries, 9)] }), /there twice/],
  'the end was cut off': [(parts) => linesOf(parts).slice(0, -3), /cut off/],
  'it was cut off behind a scheduled checkpoint': [(parts) => linesOf(parts).slice(0, 8), /cut off/],
  'the entries before the signature were cut off': [(parts) => [...linesOf(parts).slice(0, -3), parts.seal], /the end is missing/],
  'the beginning was cut off': [(parts) => [{ format: auditFormat, chain: 'acme', after: 2 }, ...linesOf(parts).slice(3)], /signed from behind entry 0 on/],
  'an entry was changed, and all hashes behind it': [
    async ({ entries, ...parts }) => {
      const others = rewritten(entries, 8);
      return linesOf({ ...parts, entries: others, seal: await signed({ ...parts.seal.checkpoint, hash: at(others, 9).hash }, { key: pair().privateKey }) });
    },
    /not signed with the key you trust/,
  ],
  'the log itself was written anew before it was exported': [
    async ({ entries, ...parts }) => {
      const others = rewritten(entries, 2);
      return linesOf({ ...parts, entries: others, seal: await signed({ ...parts.seal.checkpoint, hash: at(others, 9).hash }) });
    },
    /scheduled checkpoint was signed over another entry 6/,
  ],
  'a scheduled checkpoint was removed': [(parts) => linesOf(parts).filter((line) => line !== parts.scheduled), /The checkpoint of entry 6 is missing/],
  'it was signed for another purpose': [
    async (parts) => linesOf({ ...parts, seal: await signed(parts.seal.checkpoint, { type: 'tenure-deletion-certificate+jws' }) }),
    /not signed with the key you trust/,
  ],
  'it is of another tenant': [(parts) => linesOf({ ...parts, header: { format: auditFormat, chain: 'other', after: 0 } }), /stands in the chain of other/],
  'it is no export': [() => ['hello'], /neither an entry nor a checkpoint/],
};

it.each(Object.entries(tamperings))('finds that %s', async (_what, [tamper, problem]) => {
  const { problems } = await verify(await tamper(await whole()));
  expect(problems.join('\n')).toMatch(problem);
});

/** An operator of the platform can have anything signed: who kept a checkpoint finds it all the same. */
it('finds by a checkpoint kept elsewhere that the log was written anew, checkpoints and all', async () => {
  const { header, entries, scheduled } = await whole();
  const others = rewritten(entries, 2);
  const anew = [header, ...others, await signed({ kind: 'export', chain: 'acme', seq: 10, hash: at(others, 9).hash, after: 0 })];
  expect((await verify(anew)).problems).toEqual([]);
  expect((await verify(anew, [scheduled])).problems).toEqual([expect.stringContaining('kept elsewhere was signed over another entry 6')]);
});
