import type { AgentConfig } from '../../contracts/tenant';
import { definitionOf, toolsAmong } from '../../domain/tiers';
import type { SessionStepDeps } from './deps';
import type { ToolSet } from './tools';

/** An agent with the tools it may use now, and those tools. */
export interface Equipped {
  readonly agent: AgentConfig;
  readonly toolbox: ToolSet;
}

/**
 * The agent with the tools its tenant's tier allows now; of its patterns (`orders__*`) what the sources have. Asked when the model is offered tools, and
 * again when one is used: the model is not asked whether it keeps to the rules. A tier says nothing about agents, which reach no further than the tenant's agents do.
 *
 * @throws DomainError `tenant/not-found`
 */
export async function permitted({ directory, tiers, toolbox }: Pick<SessionStepDeps, 'directory' | 'tiers' | 'toolbox'>, tenantId: string, agent: AgentConfig): Promise<Equipped> {
  const [{ tier }, found] = await Promise.all([directory.built(tenantId), toolbox.of(tenantId, agent)]);
  const isCalled = (name: string) => found.find(name)?.agent !== undefined;
  return { agent: { ...agent, tools: [...toolsAmong(definitionOf(tiers, tier), found.names.filter((name) => !isCalled(name))), ...found.names.filter(isCalled)] }, toolbox: found };
}
