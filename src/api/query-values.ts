import { z } from 'zod';

const wholeNumber = /^[0-9]{1,15}$/;
/** Of fifteen digits: all of them are numbers that JavaScript knows apart. */
const most = 999_999_999_999_999;

/** A whole number in a query, written in digits alone: no sign, no blank, no `1e2`, no `0x1f`, and not nothing at all. */
export const queryInteger = ({ min, max = most }: { readonly min: number; readonly max?: number }) =>
  z.preprocess(
    (text) => (typeof text === 'string' && wholeNumber.test(text) ? Number(text) : text),
    z.number({ error: `write a whole number in digits, from ${min} to ${max}` }).int().min(min).max(max),
  );

/** `true` or `false`, as the document says it. */
export const queryBoolean = z.enum(['true', 'false']).transform((text) => text === 'true');

/** `2026-11-24` or `2026-11-24T13:00:00Z`, kept as the latter. */
export const queryTime = z.union([z.iso.date(), z.iso.datetime()]).transform((text) => new Date(text).toISOString());
