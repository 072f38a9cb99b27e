import { canonicalDigest } from './canonical-digest';

/** Tells one request from another: in whatever order its properties are sent, it is the same. */
export const requestDigest = (request: object): string => canonicalDigest(request);
