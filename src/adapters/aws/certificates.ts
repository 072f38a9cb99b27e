import type { z } from 'zod';
import { BackupManifest } from '../../contracts/backup';
import { PurgeRecord, SignedCertificate } from '../../contracts/certificate';
import { InventoryReport } from '../../contracts/inventory';
import { objectKeys, platformResources } from '../../contracts/names';
import type { CertificateRef, Certificates, Stored } from '../../ports/certificates';
import { certificateType } from '../certificate-signature';
import type { PlatformClients } from './clients';
import { createKeptObjects, type KeptText } from './kept-objects';
import { createSigner } from './signer';

/** Certificates and what they rest on, in the platform's bucket, signed with the platform's certificate key. */
export function createCertificates(aws: Pick<PlatformClients, 's3' | 'kms' | 'sts'>): Certificates {
  const objects = createKeptObjects(aws);
  const signer = createSigner(aws.kms, platformResources.certificateKeyAlias, certificateType);
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
      const kept = (await objects.read(key)) ?? (await objects.keepOnce(key, { certificate, ...(await signer.sign(certificate)) }));
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
