import type { BackupManifest } from '../contracts/backup';
import type { DeletionCertificate, PurgeRecord, SignedCertificate } from '../contracts/certificate';
import type { PublicKey } from '../contracts/public-key';
import type { InventoryReport } from '../contracts/inventory';

/** Whose certificate: one for each offboarding. */
export interface CertificateRef {
  readonly tenantId: string;
  readonly operationId: string;
}

export interface Stored<T> {
  readonly value: T;
  /** `s3://bucket/key` */
  readonly location: string;
  /** Hex. */
  readonly sha256: string;
  readonly storedAt: string;
}

/** What is kept to prove that tenants are gone, in the platform's bucket; what is there once is never written over. */
export interface Certificates {
  /** Keeps what the tenant had when its deletion began. The first one stands: a later look would see less. */
  keepInventory(ref: CertificateRef, report: InventoryReport): Promise<Stored<InventoryReport>>;
  inventory(ref: CertificateRef): Promise<Stored<InventoryReport> | undefined>;
  backup(tenantId: string, backupId: string): Promise<Stored<BackupManifest> | undefined>;
  /** Signs and keeps it. The first one stands, and is what every call returns. */
  issue(certificate: DeletionCertificate): Promise<SignedCertificate>;
  /** Of one offboarding, or of the tenant's latest. */
  find(tenantId: string, operationId?: string): Promise<SignedCertificate | undefined>;
  /** Notes beside the certificate that the id is free again. The first one stands. */
  notePurge(record: PurgeRecord): Promise<PurgeRecord>;
  /** The key they are signed with, as JWK and as PEM. */
  key(): Promise<{ jwk: PublicKey; pem: string }>;
}
