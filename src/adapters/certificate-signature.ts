import { SignedCertificate } from '../contracts/certificate';
import type { PublicKey } from '../contracts/public-key';
import { checkSignature, publicKeyOf } from './statement-signature';

/** Media type of a certificate that is signed. */
export const certificateType = 'tenure-deletion-certificate+jws';

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
  switch (await checkSignature((document as { certificate: unknown }).certificate, signature, key, certificateType)) {
    case 'unfit':
      return invalid('The signature was made for something else.');
    case 'invalid':
      return invalid('The signature does not fit: the certificate was changed, or signed by somebody else.');
    case 'valid':
      return { isValid: true, signed: parsed.data };
  }
}

const invalid = (reason: string): Verification => ({ isValid: false, reason });
