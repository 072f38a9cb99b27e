import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { calculateJwkThumbprint, flattenedVerify, importJWK } from 'jose';
import { type DeletionCertificate, type PublicKey, SignedCertificate } from '../contracts/certificate';

const algorithm = 'PS256';
/** Media type of what is signed, so that a signature for one purpose is none for another. */
const type = 'tenure-deletion-certificate+jws';

/** The certificate as bytes that are the same whoever writes them (RFC 8785). */
const canonical = (certificate: unknown): string => {
  const text = canonicalize(certificate);
  if (text === undefined) throw new TypeError('This cannot be written as JSON.');
  return text;
};

const base64url = (text: string): string => Buffer.from(text).toString('base64url');

/** What is to be signed, and what stands beside the signature. */
export function signingInputOf(certificate: DeletionCertificate, { kid }: PublicKey): { protectedHeader: string; digest: Buffer } {
  const protectedHeader = base64url(canonical({ alg: algorithm, kid, typ: type }));
  const digest = createHash('sha256').update(`${protectedHeader}.${base64url(canonical(certificate))}`).digest();
  return { protectedHeader, digest };
}

/** An RSA key as it is published. */
export async function publicKeyOf({ n, e }: { n?: string; e?: string }): Promise<PublicKey> {
  if (n === undefined || e === undefined) throw new TypeError('Not an RSA key.');
  return { kty: 'RSA', n, e, alg: algorithm, use: 'sig', kid: await calculateJwkThumbprint({ kty: 'RSA', n, e }) };
}

export type Verification = { readonly isValid: true; readonly signed: SignedCertificate } | { readonly isValid: false; readonly reason: string };

/**
 * Checks a certificate, without asking anybody. Every value in it counts, those too that no schema names.
 *
 * @param document - the parsed file.
 * @param trusted - the platform's key. Without it the key inside the file is used: then it is whole, and whose it is, is not known.
 */
export async function verifyCertificate(document: unknown, trusted?: PublicKey): Promise<Verification> {
  const parsed = SignedCertificate.safeParse(document);
  if (!parsed.success) return invalid('It is not a certificate: its parts are not as they should be.');
  const { signature, key } = parsed.data;
  if ((await publicKeyOf(key)).kid !== key.kid) return invalid('Its key does not have the name it claims.');
  if (trusted && (await publicKeyOf(trusted)).kid !== key.kid) return invalid('It was signed with another key than the one you trust.');
  const payload = base64url(canonical((document as { certificate: unknown }).certificate));
  try {
    const { protectedHeader } = await flattenedVerify({ ...signature, payload }, await importJWK(key, algorithm), { algorithms: [algorithm] });
    if (protectedHeader?.kid !== key.kid || protectedHeader.typ !== type) return invalid('The signature was made for something else.');
  } catch {
    return invalid('The signature does not fit: the certificate was changed, or signed by somebody else.');
  }
  return { isValid: true, signed: parsed.data };
}

const invalid = (reason: string): Verification => ({ isValid: false, reason });
