import { canonicalDigest } from './canonical-digest';
import type { JsonValue } from './model';

/** Names the arguments of a call. */
export const argumentsHash = (input: JsonValue): string => canonicalDigest(input);
