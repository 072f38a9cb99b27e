import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { DecryptCommand, GenerateDataKeyCommand, type KMSClient } from '@aws-sdk/client-kms';
import { LRUCache } from 'lru-cache';
import { DomainError } from '../../contracts/errors';
import type { CipherContext } from '../../ports/cipher';
import { isAwsError } from './failures';

/**
 * Envelope encryption under one KMS key, see docs/decisions/0005-envelope-encryption.md.
 *
 * Sealed bytes: version (1 byte, 1) · length of the wrapped key (2 bytes, big endian) · wrapped data key · IV (12) ·
 * AES-256-GCM ciphertext · tag (16). Version, wrapped key and context are authenticated with it.
 */
export interface Envelope {
  /** @throws DomainError `key/unavailable` when KMS does not let the key be used; `dependency/unavailable` */
  seal(context: CipherContext, plaintext: Uint8Array): Promise<Uint8Array>;
  /** @throws DomainError as `seal` does; Error when the context differs or a byte was changed. */
  open(context: CipherContext, sealed: Uint8Array): Promise<Uint8Array>;
}

export interface EnvelopeSettings {
  /** Asked for whenever it is needed: a tenant's client changes with its credentials. */
  readonly kms: () => KMSClient;
  /** Id, ARN or alias of the key; asked for with every use, so that no data key of an earlier key is used after it changed. */
  readonly keyId: () => Promise<string>;
  /** Changes when the key has been rotated; asked for as `keyId` is. What was made before still opens. */
  readonly generation?: () => Promise<string>;
  /** Encryption context of the data keys: KMS logs it, and refuses to unwrap under another. */
  readonly keyContext: CipherContext;
}

interface DataKey {
  readonly plain: Buffer;
  readonly wrapped: Buffer;
  uses: number;
}

const algorithm = 'aes-256-gcm';
const version = 1;
const ivBytes = 12;
const tagBytes = 16;
const headBytes = 3;
/** A data key lives in memory at most this long: a KMS key that is disabled stops working after it everywhere. */
export const dataKeyMaxAgeMs = 5 * 60_000;
/** Far below the 2^32 messages that are safe for random IVs under one key. */
const dataKeyMaxUses = 1 << 20;

const headerOf = (wrapped: Buffer): Buffer => {
  const head = Buffer.alloc(headBytes);
  head.writeUInt8(version, 0);
  head.writeUInt16BE(wrapped.length, 1);
  return Buffer.concat([head, wrapped]);
};

/** The order in which a context was written does not matter. */
const contextBytes = (context: CipherContext): Buffer =>
  Buffer.from(JSON.stringify(Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))));

function parse(sealed: Uint8Array) {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const wrappedEnd = bytes.length < headBytes ? Infinity : headBytes + bytes.readUInt16BE(1);
  if (bytes[0] !== version || bytes.length < wrappedEnd + ivBytes + tagBytes) throw new Error('Not sealed by Tenure, or cut short.');
  return {
    header: bytes.subarray(0, wrappedEnd),
    wrapped: bytes.subarray(headBytes, wrappedEnd),
    iv: bytes.subarray(wrappedEnd, wrappedEnd + ivBytes),
    ciphertext: bytes.subarray(wrappedEnd + ivBytes, -tagBytes),
    tag: bytes.subarray(-tagBytes),
  };
}

/** @throws Error when KMS left it out. */
export function required(bytes: Uint8Array | undefined): Buffer {
  if (!bytes) throw new Error('KMS answered without a key.');
  return Buffer.from(bytes);
}

/** What KMS says of a key that is disabled, about to be deleted, gone, or not the one a data key was wrapped with. */
const unusable = ['DisabledException', 'KMSInvalidStateException', 'NotFoundException', 'IncorrectKeyException'];

/** @throws DomainError `key/unavailable` when KMS does not let the key be used. */
export async function usingKey<T>(keyId: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!isAwsError(error, ...unusable)) throw error;
    throw new DomainError('key/unavailable', `KMS key ${keyId} cannot be used: ${error.name}. What it encrypted is unreadable until it is enabled again.`, { cause: error });
  }
}

/** Data keys are kept for a while, so that most calls cost microseconds and no request. */
export function createEnvelope({ kms, keyId, generation, keyContext }: EnvelopeSettings): Envelope {
  const EncryptionContext = { ...keyContext };

  // By KMS key and generation: one entry, and a second one for a moment when the key has changed.
  const sealing = new LRUCache<string, DataKey, string>({
    max: 2,
    ttl: dataKeyMaxAgeMs,
    async fetchMethod(_label, _stale, { context: KeyId }) {
      const made = await usingKey(KeyId, kms().send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext })));
      const key = { plain: required(made.Plaintext), wrapped: required(made.CiphertextBlob), uses: 0 };
      opening.set(key.wrapped.toString('base64'), key.plain);
      return key;
    },
  });

  const opening = new LRUCache<string, Buffer>({
    max: 1_000,
    ttl: dataKeyMaxAgeMs,
    async fetchMethod(wrapped) {
      const CiphertextBlob = Buffer.from(wrapped, 'base64');
      const KeyId = await keyId();
      return required((await usingKey(KeyId, kms().send(new DecryptCommand({ KeyId, CiphertextBlob, EncryptionContext })))).Plaintext);
    },
  });

  async function sealingKey(): Promise<DataKey> {
    const [id, ofGeneration] = await Promise.all([keyId(), generation?.()]);
    const label = JSON.stringify([id, ofGeneration]);
    const key = await sealing.forceFetch(label, { context: id });
    if (++key.uses >= dataKeyMaxUses) sealing.delete(label);
    return key;
  }

  return {
    async seal(context, plaintext) {
      const { plain, wrapped } = await sealingKey();
      const header = headerOf(wrapped);
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv(algorithm, plain, iv).setAAD(Buffer.concat([header, contextBytes(context)]));
      return Buffer.concat([header, iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    },

    async open(context, sealed) {
      const { header, wrapped, iv, ciphertext, tag } = parse(sealed);
      const plain = await opening.forceFetch(wrapped.toString('base64'));
      const decipher = createDecipheriv(algorithm, plain, iv, { authTagLength: tagBytes })
        .setAAD(Buffer.concat([header, contextBytes(context)]))
        .setAuthTag(tag);
      return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
    },
  };
}
