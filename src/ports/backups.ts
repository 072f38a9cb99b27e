import type { Waiting } from './provisioning';

export interface BackupPart {
  /** `table.jsonl`, `objects.jsonl`, `memory.jsonl`, `config.jsonl`, `users.jsonl` */
  readonly name: string;
  readonly records: number;
  readonly bytes: number;
  /** Of the plain JSON Lines, hex. */
  readonly sha256: string;
}

export interface BackupManifest {
  readonly format: 'tenure-backup/1';
  readonly backupId: string;
  readonly tenantId: string;
  readonly createdAt: string;
  readonly parts: readonly BackupPart[];
}

/** Writes parts of JSON Lines under the platform's backup key, streamed in constant memory. */
export interface Backups {
  /** Takes everything the tenant has; repeating it overwrites the same backup id. */
  take(tenantId: string, backupId: string, waiting: Waiting): Promise<BackupManifest>;
  /** Reads every part back, and compares counts and hashes with the manifest. @throws DomainError `backup/incomplete` */
  verify(tenantId: string, backupId: string, waiting: Waiting): Promise<BackupManifest>;
}
