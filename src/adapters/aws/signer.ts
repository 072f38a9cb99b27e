import { createPublicKey } from 'node:crypto';
import { GetPublicKeyCommand, type KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { LRUCache } from 'lru-cache';
import type { PublicKey } from '../../contracts/public-key';
import { publicKeyOf, signingInputOf, type StatementSignature } from '../statement-signature';

/**
 * Signs statements with an RSA key of KMS; the private key never leaves it.
 * @param type - media type of what is signed.
 */
export function createSigner(kms: KMSClient, KeyId: string, type: string) {
  const keys = new LRUCache<'key', { jwk: PublicKey; pem: string }>({ max: 1, fetchMethod: fetchKey });

  async function fetchKey(): Promise<{ jwk: PublicKey; pem: string }> {
    const { PublicKey: der } = await kms.send(new GetPublicKeyCommand({ KeyId }));
    if (!der) throw new Error('KMS answered without a public key.');
    const key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
    return { jwk: await publicKeyOf(key.export({ format: 'jwk' })), pem: key.export({ format: 'pem', type: 'spki' }).toString() };
  }

  return {
    key: () => keys.forceFetch('key'),
    async sign(statement: unknown): Promise<{ signature: StatementSignature; key: PublicKey }> {
      const { jwk } = await keys.forceFetch('key');
      const { protectedHeader, digest } = signingInputOf(statement, jwk, type);
      const { Signature } = await kms.send(new SignCommand({ KeyId, Message: digest, MessageType: 'DIGEST', SigningAlgorithm: 'RSASSA_PSS_SHA_256' }));
      if (!Signature) throw new Error('KMS answered without a signature.');
      return { signature: { protected: protectedHeader, signature: Buffer.from(Signature).toString('base64url') }, key: jwk };
    },
  };
}
