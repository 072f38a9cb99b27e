import { createHash } from 'node:crypto';

/** By what an erasure knows its user under another id. Each has digests of its own: they do not tell that two were of one person. */
export const addressDigest = (operationId: string, email: string): string => createHash('sha256').update(JSON.stringify([operationId, email])).digest('hex');
