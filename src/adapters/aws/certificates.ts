import { createPublicKey } from 'node:crypto';
import { GetPublicKeyCommand, type KMSClient, SignCommand } from '@aws-sdk/client-kms';
import { LRUCache } from 'lru-cache';
import type { z } from 'zod';
import { BackupManifest } from '../../contracts/backup';
import { type DeletionCertificate, type PublicKey, PurgeRecord, SignedCertificate } from '../../contracts/certificate';
import { InventoryReport } from '../../contracts/inventory';
import { objectKeys, platformResources } from '../../contracts/names';
import type { CertificateRef, Certificates, Stored } from '../../ports/certificates';
import { publicKeyOf, signingInputOf } from '../certificate-signature';
import type { PlatformClients } from './clients';
import { createKeptObjects, type KeptText } from './kept-objects';

const KeyId = platformResources.certificateKeyAlias;

/** Certificates and what they rest on, in the platform's bucket, signed with the platform's certificate key. */
export function createCertificates(aws: Pick<PlatformClients, 's3' | 'kms' | 'sts'>): Certificates {
  const objects = createKeptObjects(aws);
  const signer = createSigner(aws.kms);
  const keyOf = ({ tenantId, operationId }: CertificateRef, part: string) => objectKeys.certificate(tenantId, operationId, part);

  return {
    keepInventory: async (ref, report) => stored(await objects.keepOnce(keyOf(ref, inventoryName), report), InventoryReport),
    async inventory(ref) {
      const found = await objects.read(keyOf(ref, inventoryName));
      return found && stored(found, InventoryReport);
    },
    async backup(tenantId, backupId) {
      const found = await objects.read(objectKeys.backup(tenantId, backupId, 'manifest.json'));
      return found && stored(found, BackupManifest);
    },
    async issue(certificate) {
      const key = keyOf(certificate, certificateName);
      const kept = (await objects.read(key)) ?? (await objects.keepOnce(key, await signer.sign(certificate)));
      return SignedCertificate.parse(JSON.parse(kept.text));
    },
    async find(tenantId, operationId) {
      const [key] = operationId === undefined ? await objects.newest(objectKeys.certificates(tenantId), `/${certificateName}`) : [keyOf({ tenantId, operationId }, certificateName)];
      const found = key === undefined ? undefined : await objects.read(key);
      return found && SignedCertificate.parse(JSON.parse(found.text));
    },
    notePurge: async (record) => stored(await objects.keepOnce(keyOf(record, purgeName), record), PurgeRecord).value,
    key: signer.key,
  };
}

const inventoryName = 'inventory.json';
const certificateName = 'certificate.json';
const purgeName = 'purge.json';

const stored = <T>({ text, ...rest }: KeptText, schema: z.ZodType<T>): Stored<T> => ({ value: schema.parse(JSON.parse(text)), ...rest });

/** The private key never leaves KMS. */
function createSigner(kms: KMSClient) {
  const keys = new LRUCache<'key', { jwk: PublicKey; pem: string }>({ max: 1, fetchMethod: fetchKey });

  async function fetchKey(): Promise<{ jwk: PublicKey; pem: string }> {
    const { PublicKey: der } = await kms.send(new GetPublicKeyCommand({ KeyId }));
    if (!der) throw new Error('KMS answered without a public key.');
    const key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
    return { jwk: await publicKeyOf(key.export({ format: 'jwk' })), pem: key.export({ format: 'pem', type: 'spki' }).toString() };
  }

  return {
    key: () => keys.forceFetch('key'),
    async sign(certificate: DeletionCertificate): Promise<SignedCertificate> {
      const { jwk } = await keys.forceFetch('key');
      const { protectedHeader, digest } = signingInputOf(certificate, jwk);
      const { Signature } = await kms.send(new SignCommand({ KeyId, Message: digest, MessageType: 'DIGEST', SigningAlgorithm: 'RSASSA_PSS_SHA_256' }));
      if (!Signature) throw new Error('KMS answered without a signature.');
      return { certificate, signature: { protected: protectedHeader, signature: Buffer.from(Signature).toString('base64url') }, key: jwk };
    },
  };
}
