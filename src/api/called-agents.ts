import { codeOf, DomainError } from '../contracts/errors';
import { maxErrandDepth } from '../contracts/called-agent';
import type { AgentConfig } from '../contracts/tenant';
import { partsOf, pinOf } from '../domain/agents';
import { circleFrom } from '../domain/called-agents';
import type { Agents } from '../ports/agents';

/** What the tenant's own agent is called here: no agent has such a name. */
const ownAgent = "the tenant's agent";

/**
 * The agents that an agent may call exist, and do not lead back to one they came from. Aliases may be moved later: then the depth at which calls end holds.
 * @param name - of the agent; absent: the tenant's own.
 * @throws DomainError `agent/invalid`
 */
export async function checkCalledAgents(agents: Pick<Agents, 'get' | 'version'>, tenantId: string, { agents: called = [] }: Pick<AgentConfig, 'agents'>, name = ownAgent): Promise<void> {
  const calls = new Map<string, string[]>([[name, called.map(({ agent }) => partsOf(agent).name)]]);
  const looked = new Set<string>();
  let references = called.map(({ agent }) => agent);
  for (let depth = 0; depth <= maxErrandDepth && references.length > 0; depth += 1) {
    const beyond: string[] = [];
    for (const reference of references.filter((one) => !looked.has(one) && partsOf(one).name !== name)) {
      looked.add(reference);
      const found = await calledBy(agents, tenantId, reference);
      calls.set(found.name, [...(calls.get(found.name) ?? []), ...found.called.map((one) => partsOf(one).name)]);
      beyond.push(...found.called);
    }
    references = beyond;
  }
  const circle = circleFrom(name, calls);
  if (circle) throw new DomainError('agent/invalid', `agents: calls would go in a circle: ${circle.join(' → ')}.`);
}

async function calledBy(agents: Pick<Agents, 'get' | 'version'>, tenantId: string, reference: string): Promise<{ name: string; called: string[] }> {
  const { name } = partsOf(reference);
  try {
    const { settings } = await agents.version(tenantId, pinOf(reference, await agents.get(tenantId, name)));
    return { name, called: (settings.agents ?? []).map(({ agent }) => agent) };
  } catch (error) {
    if (!(error instanceof DomainError) || !codeOf(error)?.startsWith('agent/')) throw error;
    throw new DomainError('agent/invalid', `agents: ${reference}: ${error.message}`, { cause: error });
  }
}
