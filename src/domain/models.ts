import type { AgentConfig } from '../contracts/tenant';

/** Attempts at a step before the next model is asked. */
export const attemptsPerModel = 2;

/** All an agent may ask, its own first. */
export const modelsOf = ({ modelId, fallbackModels = [] }: Pick<AgentConfig, 'modelId' | 'fallbackModels'>): string[] => [modelId, ...fallbackModels];

/** Whom an attempt at a step asks: each of the agent's models in turn, and the first again when none was left. @param attempt - from 1. */
export function modelOfAttempt(agent: Pick<AgentConfig, 'modelId' | 'fallbackModels'>, attempt: number): string {
  const models = modelsOf(agent);
  return models[Math.floor((attempt - 1) / attemptsPerModel) % models.length] ?? agent.modelId;
}

const ofBedrock = /^arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:inference-profile|foundation-model)\//;
/** Where a profile of Bedrock's own may send requests: `us.anthropic.claude-…`. */
const region = /^(us|us-gov|eu|apac|jp|au|ca|global)\./;

/** The model behind an inference profile of Bedrock's own, or an ARN; the id itself otherwise. Of a profile that an account has made, nobody can tell by its id. */
export const foundationModelOf = (modelId: string): string => modelId.replace(ofBedrock, '').replace(region, '');
