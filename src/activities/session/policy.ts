import type { AgentConfig } from '../../contracts/tenant';
import { definitionOf, toolsAmong } from '../../domain/tiers';
import type { SessionStepDeps } from './deps';

/**
 * The agent with the tools its tenant's tier allows now. Asked when the model is offered tools, and again when one is used: the
 * model is not asked whether it keeps to the rules.
 *
 * @throws DomainError `tenant/not-found`
 */
export async function permitted({ directory, tiers }: Pick<SessionStepDeps, 'directory' | 'tiers'>, tenantId: string, agent: AgentConfig): Promise<AgentConfig> {
  const { tier } = await directory.built(tenantId);
  return { ...agent, tools: toolsAmong(definitionOf(tiers, tier), agent.tools) };
}
