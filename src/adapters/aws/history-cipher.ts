import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { DomainError } from '../../contracts/errors';
import type { HistoryCipher } from '../../ports/cipher';
import { historyKeyIdBytes, type HistoryKeys, workflowMarkBytes } from './history-keys';

const algorithm = 'aes-256-gcm';
const version = 2;
const ivBytes = 12;
const tagBytes = 16;

/**
 * Sealed bytes: version (1 byte, 2) · length of the tenant's id (1) · tenant's id · id of the data key (4) · mark of the workflow (8) ·
 * IV (12) · AES-256-GCM ciphertext · tag (16). All before the IV is authenticated. The key is derived from the data key and the mark.
 */
export function createHistoryCipher(keys: HistoryKeys): HistoryCipher {
  return {
    async seal(tenantId, workflowId, plaintext) {
      const key = await keys.current(tenantId);
      const mark = key.markOf(workflowId);
      const tenant = Buffer.from(tenantId);
      const header = Buffer.concat([Buffer.of(version, tenant.length), tenant, Buffer.from(key.id, 'hex'), mark]);
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv(algorithm, key.workflowKey(mark), iv).setAAD(header);
      return Buffer.concat([header, iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    },

    async open(sealed, workflowId) {
      const { header, tenantId, keyId, mark, iv, ciphertext, tag } = parse(sealed);
      const key = await keys.named(tenantId, keyId);
      if (workflowId !== undefined && !key.markOf(workflowId).equals(mark))
        throw new DomainError('payload/unreadable', `A payload of another workflow is in the history of ${workflowId}.`);
      const decipher = createDecipheriv(algorithm, key.workflowKey(mark), iv, { authTagLength: tagBytes }).setAAD(header).setAuthTag(tag);
      return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
    },
  };
}

function parse(sealed: Uint8Array) {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const [found, tenantBytes = 0] = bytes;
  if (found !== version) throw new DomainError('payload/unreadable', `A payload is encrypted in version ${found ?? 'none'}; this release reads versions 1 and 2.`);
  const tenantEnd = 2 + tenantBytes;
  const keyEnd = tenantEnd + historyKeyIdBytes;
  const headerEnd = keyEnd + workflowMarkBytes;
  if (bytes.length < headerEnd + ivBytes + tagBytes) throw new Error('Not sealed by Tenure, or cut short.');
  return {
    header: bytes.subarray(0, headerEnd),
    tenantId: bytes.toString('utf8', 2, tenantEnd),
    keyId: bytes.toString('hex', tenantEnd, keyEnd),
    mark: bytes.subarray(keyEnd, headerEnd),
    iv: bytes.subarray(headerEnd, headerEnd + ivBytes),
    ciphertext: bytes.subarray(headerEnd + ivBytes, -tagBytes),
    tag: bytes.subarray(-tagBytes),
  };
}
