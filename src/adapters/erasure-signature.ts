import type { PublicKey } from '../contracts/public-key';
import { SignedErasure } from '../contracts/erasure';
import { checkSignature, publicKeyOf } from './statement-signature';

/** Media type of a statement that is signed. */
export const erasureType = 'tenure-erasure-statement+jws';

/**
 * Whether a statement is as it was signed; asks nobody.
 * @param document - the parsed file. @param trusted - the platform's key.
 */
export async function isSignedErasure(document: unknown, trusted: PublicKey): Promise<boolean> {
  const parsed = SignedErasure.safeParse(document);
  if (!parsed.success || (await publicKeyOf(parsed.data.key)).kid !== trusted.kid) return false;
  return (await checkSignature((document as { statement: unknown }).statement, parsed.data.signature, trusted, erasureType)) === 'valid';
}
