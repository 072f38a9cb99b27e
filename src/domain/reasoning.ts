import type { EventBody } from '../contracts/events';
import { foundationModelOf } from './models';

/** Models that take a budget of tokens to reason with. Of a profile that an account has made, nobody can tell: its owner knows. */
export const canReason = (modelId: string): boolean => /^(anthropic\.|arn:)/.test(foundationModelOf(modelId));

/**
 * Whether a model may reason in a turn that goes on: its maker wants a loop of tools to begin with this model's own reasoning, signed, or
 * to go on without any. The loop may have begun with another model.
 *
 * @param events - of the log so far.
 */
export function mayReason(events: readonly EventBody[], { turnId, modelId }: { turnId: string; modelId: string }): boolean {
  const first = events.find((event) => event.type === 'tool.requested' && event.turnId === turnId);
  if (first?.type !== 'tool.requested') return true;
  return events.some((event) => event.type === 'reasoning.completed' && event.turnId === turnId && event.step === first.step && event.modelId === modelId);
}
