import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { JsonValue } from './model';

/** Names the arguments of a call: SHA-256 of their canonical JSON (RFC 8785), in hex. Whatever the order of properties, the same. */
export const argumentsHash = (input: JsonValue): string =>
  createHash('sha256')
    .update(canonicalize(input) ?? 'null')
    .digest('hex');
