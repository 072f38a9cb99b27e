import type { AgentConfig } from '../../contracts/tenant';
import { definitionOf, toolsAmong } from '../../domain/tiers';
import { agentOf, type AgentOfTurn } from './agent';
import type { SessionStepDeps } from './deps';
import type { ToolSet } from './tools';

/** An agent with the tools it may use now, those tools, and the version of its configuration. */
export interface Equipped {
  readonly version: number;
  readonly agent: AgentConfig;
  readonly toolbox: ToolSet;
}

/**
 * The agent with the tools its tenant's tier allows now; of its patterns (`orders__*`) what the sources have. Asked when the model is offered tools, and
 * again when one is used: the model is not asked whether it keeps to the rules. A tier says nothing about agents, which reach no further than the tenant's agents do.
 *
 * @throws DomainError `tenant/not-found`, `agent/not-found`, `config/unreadable`
 */
export async function equip(deps: Pick<SessionStepDeps, 'agents' | 'configs' | 'directory' | 'tiers' | 'toolbox'>, of: AgentOfTurn): Promise<Equipped> {
  const { version, agent } = await agentOf(deps, of);
  const [{ tier }, toolbox] = await Promise.all([deps.directory.built(of.tenantId), deps.toolbox.of(of.tenantId, agent)]);
  const isCalled = (name: string) => toolbox.find(name)?.agent !== undefined;
  const tools = [...toolsAmong(definitionOf(deps.tiers, tier), toolbox.names.filter((name) => !isCalled(name))), ...toolbox.names.filter(isCalled)];
  return { version, agent: { ...agent, tools }, toolbox };
}
