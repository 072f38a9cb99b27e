import { createHash } from 'node:crypto';

/** @returns an integer of 32 bits without a sign, the same for the same text in every process; those of many texts are spread evenly. */
export const hash32 = (text: string): number => createHash('sha256').update(text).digest().readUInt32BE();
