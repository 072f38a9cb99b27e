import { z } from 'zod';

/** The turn that a fact was extracted from. */
export const FactSource = z.object({ sessionId: z.string(), turnId: z.string() });
export type FactSource = z.infer<typeof FactSource>;
