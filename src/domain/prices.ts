import type { Usage } from '../contracts/events';
import type { ModelPrice, ModelPrices } from '../contracts/prices';
import { foundationModelOf } from './models';
import { bestMatch } from './name-pattern';

/** An inference profile costs what has been said of it, and otherwise what its model costs. @returns undefined when nobody has said what the model costs. */
export function priceOf(prices: ModelPrices, modelId: string): ModelPrice | undefined {
  const { '*': ofAll, ...others } = prices;
  return bestMatch(others, modelId) ?? bestMatch(others, foundationModelOf(modelId)) ?? ofAll;
}

/** In micro-dollars, rounded up: what is spent is never less than what was paid. */
export function costMicroUsdOf(price: ModelPrice, { inputTokens, outputTokens, cacheReadTokens = 0, cacheWriteTokens = 0 }: Usage): number {
  const input = price.inputMicroUsdPerMillion;
  const perMillion =
    inputTokens * input +
    outputTokens * price.outputMicroUsdPerMillion +
    cacheReadTokens * (price.cacheReadMicroUsdPerMillion ?? input) +
    cacheWriteTokens * (price.cacheWriteMicroUsdPerMillion ?? input);
  return Math.ceil(perMillion / 1_000_000);
}

/** The most so many tokens of input can cost: each may be read from what is kept, or be kept. */
export const dearestInput = ({ inputMicroUsdPerMillion: input, cacheReadMicroUsdPerMillion: read = input, cacheWriteMicroUsdPerMillion: write = input }: ModelPrice): number =>
  Math.max(input, read, write);
