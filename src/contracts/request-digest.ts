import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** Tells one request from another: SHA-256 of its canonical JSON (RFC 8785), in hex. In whatever order its properties are sent, it is the same. */
export const requestDigest = (request: object): string =>
  createHash('sha256')
    .update(canonicalize(request) ?? '')
    .digest('hex');
