import { z } from 'zod';

export const BackupPart = z.object({
  /** `table.jsonl`, `objects.jsonl`, `memory.jsonl`, `config.jsonl`, `users.jsonl` */
  name: z.string(),
  records: z.number().int(),
  /** Of the plain JSON Lines, as is the hash. */
  bytes: z.number().int(),
  /** Hex. */
  sha256: z.string(),
});
export type BackupPart = z.infer<typeof BackupPart>;

export const BackupManifest = z.object({
  format: z.literal('tenure-backup/1'),
  backupId: z.string(),
  tenantId: z.string(),
  createdAt: z.iso.datetime(),
  parts: z.array(BackupPart),
});
export type BackupManifest = z.infer<typeof BackupManifest>;

