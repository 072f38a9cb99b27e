import type { ConverseRequest, TokenUsage } from './protocol';
import { tokensIn } from './wire';

/** What requests have asked to keep: the tools, then the system prompt, up to the last cache point. */
export class PromptCache {
  private readonly kept = new Set<string>();

  clear(): void {
    this.kept.clear();
  }

  /** @param read - tokens of all that the model reads. */
  inputOf(modelId: string, request: ConverseRequest, read: number): Omit<TokenUsage, 'outputTokens'> {
    const prefix = prefixOf(request);
    if (prefix === undefined) return { inputTokens: read };
    const tokens = Math.min(read, tokensIn(prefix));
    const key = `${modelId} ${prefix}`;
    const isKept = this.kept.has(key);
    this.kept.add(key);
    return { inputTokens: read - tokens, ...(isKept ? { cacheReadInputTokens: tokens } : { cacheWriteInputTokens: tokens }) };
  }
}

function prefixOf({ toolConfig, system }: ConverseRequest): string | undefined {
  const isPoint = ({ cachePoint }: { cachePoint?: unknown }) => cachePoint !== undefined;
  if (system?.some(isPoint)) return JSON.stringify([toolConfig, system.slice(0, system.findLastIndex(isPoint))]);
  return toolConfig?.tools.some(isPoint) ? JSON.stringify(toolConfig.tools.slice(0, toolConfig.tools.findLastIndex(isPoint))) : undefined;
}
