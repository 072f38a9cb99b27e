import { z } from 'zod';

/** What a person writes, taken without the blanks around it. Lengths are of the text as it was sent, as the OpenAPI document says them. */
export const writtenText = ({ min = 1, max }: { readonly min?: number; readonly max: number }) =>
  z
    .string()
    .min(min)
    .max(max)
    .regex(/\S/, 'it says nothing')
    .trim()
    .refine((text) => text.length >= min, `it has fewer than ${min} characters without the blanks around it`);
