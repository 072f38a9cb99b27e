import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { calculateJwkThumbprint, flattenedVerify, importJWK } from 'jose';
import type { PublicKey } from '../contracts/public-key';

const algorithm = 'PS256';

/** Both parts of a JWS (RFC 7515) whose payload stands beside it as JSON. */
export interface StatementSignature {
  readonly protected: string;
  readonly signature: string;
}

/** The value as bytes that are the same whoever writes them (RFC 8785). */
export const canonical = (value: unknown): string => {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('This cannot be written as JSON.');
  return text;
};

const base64url = (text: string): string => Buffer.from(text).toString('base64url');

/**
 * What is to be signed, and what stands beside the signature.
 * @param type - media type of what is signed, so that a signature for one purpose is none for another.
 */
export function signingInputOf(statement: unknown, { kid }: PublicKey, type: string): { protectedHeader: string; digest: Buffer } {
  const protectedHeader = base64url(canonical({ alg: algorithm, kid, typ: type }));
  const digest = createHash('sha256').update(`${protectedHeader}.${base64url(canonical(statement))}`).digest();
  return { protectedHeader, digest };
}

/** An RSA key as it is published. */
export async function publicKeyOf({ n, e }: { n?: string; e?: string }): Promise<PublicKey> {
  if (n === undefined || e === undefined) throw new TypeError('Not an RSA key.');
  return { kty: 'RSA', n, e, alg: algorithm, use: 'sig', kid: await calculateJwkThumbprint({ kty: 'RSA', n, e }) };
}

/** Whether it was signed with this key, for this purpose; without asking anybody. `unfit`: it was signed for something else. */
export async function checkSignature(statement: unknown, signature: StatementSignature, key: PublicKey, type: string): Promise<'valid' | 'unfit' | 'invalid'> {
  const payload = base64url(canonical(statement));
  try {
    const { protectedHeader } = await flattenedVerify({ ...signature, payload }, await importJWK(key, algorithm), { algorithms: [algorithm] });
    return protectedHeader?.kid === key.kid && protectedHeader.typ === type ? 'valid' : 'unfit';
  } catch {
    return 'invalid';
  }
}
