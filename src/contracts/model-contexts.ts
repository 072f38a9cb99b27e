import { z } from 'zod';

/** How much a model can read at once, and when a conversation is too long for it. */
export const ModelContext = z.strictObject({
  /** Of all that it reads and writes in one request. */
  tokens: z.number().int().min(1_000).max(100_000_000),
  /** The part of it that a conversation may fill: with more, what is older is summarised first. */
  compactAt: z.number().min(0.1).max(1).default(0.8),
});
export type ModelContext = z.infer<typeof ModelContext>;

/** By model id, or the beginning of ids that ends in `*`: the longest that fits counts. */
export const ModelContexts = z.record(z.string().min(1).max(256), ModelContext);
export type ModelContexts = z.infer<typeof ModelContexts>;

/** Of the models agents have unless told otherwise. Installations add theirs with `MODEL_CONTEXTS`. */
export const builtInContexts: ModelContexts = { 'anthropic.claude-3-5-sonnet-*': { tokens: 200_000, compactAt: 0.8 } };
