import { z } from 'zod';

/**
 * What a person writes, taken without the blanks around it. Lengths are of the text as it was sent, as the OpenAPI document says them.
 * @param max - absent: who takes it knows how long it may be.
 */
export const writtenText = ({ min = 1, max }: { readonly min?: number; readonly max?: number }) =>
  (max === undefined ? z.string() : z.string().max(max))
    .min(min)
    .regex(/\S/, 'it says nothing')
    .trim()
    .refine((text) => text.length >= min, `it has fewer than ${min} characters without the blanks around it`);
