import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { apiKeyText } from '../contracts/names';

const secretBytes = 32;

const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const checksumOf = (text: string): string => crc32(text).toString(16).padStart(8, '0');

/** A new key: `tenure_key_{id}_{secret}{checksum}`. Its text is told once; the digest is what is kept. */
export function makeApiKey(keyId: string): { readonly text: string; readonly digest: string } {
  const body = `${apiKeyText.prefix}${keyId}_${randomBytes(secretBytes).toString('hex')}`;
  const text = `${body}${checksumOf(body)}`;
  return { text, digest: digestOf(text) };
}

/** Whether it wants to be an API key, rather than an access token. */
export const looksLikeApiKey = (text: string): boolean => text.startsWith(apiKeyText.prefix);

/** The checksum keeps typing errors, and whatever scanners of sources find that is none, from being looked up. @returns undefined when it cannot be a key. */
export function readApiKey(text: string): { readonly keyId: string; readonly digest: string } | undefined {
  const [, keyId, , checksum = ''] = apiKeyText.pattern.exec(text) ?? [];
  if (keyId === undefined || checksum !== checksumOf(text.slice(0, -checksum.length))) return undefined;
  return { keyId, digest: digestOf(text) };
}

/** Takes as long for any two digests, alike or not. */
export const sameDigest = (one: string, other: string): boolean => timingSafeEqual(Buffer.from(one, 'hex'), Buffer.from(other, 'hex'));
