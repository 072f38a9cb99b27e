import { z } from 'zod';

/** Millionths of a US dollar for a million tokens: 3 USD for a million are 3000000. */
const Rate = z.number().int().min(0).max(10_000_000_000);

/** What a model costs, in micro-dollars for a million tokens. */
export const ModelPrice = z.strictObject({
  inputMicroUsdPerMillion: Rate,
  outputMicroUsdPerMillion: Rate,
  /** Of input the model server had kept; as other input when absent. */
  cacheReadMicroUsdPerMillion: Rate.optional(),
  /** Of input it is to keep; as other input when absent. */
  cacheWriteMicroUsdPerMillion: Rate.optional(),
});
export type ModelPrice = z.infer<typeof ModelPrice>;

/** By model id, or the beginning of ids that ends in `*`: the longest that fits counts. */
export const ModelPrices = z.record(z.string().min(1).max(256), ModelPrice);
export type ModelPrices = z.infer<typeof ModelPrices>;

/** Of the models agents have unless told otherwise, on demand in us-east-1. Installations set what they pay with `MODEL_PRICES`. */
export const builtInPrices: ModelPrices = {
  'anthropic.claude-3-5-sonnet-*': {
    inputMicroUsdPerMillion: 3_000_000,
    outputMicroUsdPerMillion: 15_000_000,
    cacheReadMicroUsdPerMillion: 300_000,
    cacheWriteMicroUsdPerMillion: 3_750_000,
  },
};
