import { createHash } from 'node:crypto';

/** Tells one request from another. Requests come out of a schema, which orders their properties: the same request has the same digest. */
export const requestDigest = (request: object): string => createHash('sha256').update(JSON.stringify(request)).digest('hex');
