import { type Agent, type AgentPin, maxAliases } from '../contracts/agent';
import { defaultAlias } from '../contracts/agent-reference';
import type { CalledAgent } from '../contracts/called-agent';
import { DomainError } from '../contracts/errors';
import type { AgentConfig } from '../contracts/tenant';
import { matchesName } from './name-pattern';

/** The name in a reference such as `support@3`, and what stands behind the `@`. */
export function partsOf(reference: string): { readonly name: string; readonly selector: string | undefined } {
  const [name = '', selector] = reference.split('@', 2);
  return { name, selector };
}

/**
 * The version a reference stands for now.
 * @param agent - of that name, if there is one.
 * @throws DomainError `agent/not-found`, `agent/archived`
 */
export function pinOf(reference: string, agent: Agent | undefined): AgentPin {
  const { name, selector = defaultAlias } = partsOf(reference);
  if (!agent) throw new DomainError('agent/not-found', 'There is no such agent.');
  if (agent.archivedAt !== undefined) throw new DomainError('agent/archived', `The agent ${name} was archived: no new session can have it.`);
  const version = /^\d+$/.test(selector) ? Number(selector) : aliasOf(agent, selector);
  if (version === undefined) throw new DomainError('agent/not-found', `The agent ${name} has no alias ${selector}. It has: ${Object.keys(agent.aliases).join(', ')}.`);
  if (version > agent.latestVersion) throw new DomainError('agent/not-found', `The agent ${name} has no version ${version}: its latest is ${agent.latestVersion}.`);
  return { name, version };
}

const aliasOf = ({ aliases }: Agent, alias: string): number | undefined => (Object.hasOwn(aliases, alias) ? aliases[alias] : undefined);

/** The agent with an alias on a version. @throws DomainError `agent/not-found`, `agent/too-many` */
export function withAlias(agent: Agent, alias: string, version: number): Agent {
  if (version > agent.latestVersion) throw new DomainError('agent/not-found', `The agent ${agent.name} has no version ${version}: its latest is ${agent.latestVersion}.`);
  const aliases = { ...agent.aliases, [alias]: version };
  if (Object.keys(aliases).length > maxAliases) throw new DomainError('agent/too-many', `An agent has at most ${maxAliases} aliases. Take one away first.`);
  return { ...agent, aliases };
}

/** @throws DomainError `agent/not-found`, `agent/invalid`: the default alias stays. */
export function withoutAlias(agent: Agent, alias: string): Agent {
  if (alias === defaultAlias) throw new DomainError('agent/invalid', 'The default alias cannot be taken away: move it to another version, or archive the agent.');
  if (aliasOf(agent, alias) === undefined) throw new DomainError('agent/not-found', `The agent ${agent.name} has no alias ${alias}.`);
  return { ...agent, aliases: Object.fromEntries(Object.entries(agent.aliases).filter(([name]) => name !== alias)) };
}

/** What a model calls another agent by. */
export const toolNameOf = ({ agent, tool }: CalledAgent): string => tool ?? partsOf(agent).name;

/** All that an agent may use: its tools, and the agents it may call. */
export const allToolsOf = ({ tools, agents = [] }: Pick<AgentConfig, 'tools' | 'agents'>): string[] => [...tools, ...agents.map(toolNameOf)];

/** Tools that the approval policy speaks of and the agent does not have: a rule that could never hold is a mistake. */
export function mustAgree({ approvals, ...agent }: AgentConfig): void {
  const tools = allToolsOf(agent);
  const named = (approvals?.rules ?? []).map(({ tool }) => tool);
  const missing = [...new Set(named)].filter((tool) => !tool.endsWith('*') && !tools.some((own) => matchesName(own, tool)));
  if (missing.length > 0) throw new DomainError('agent/invalid', `approvals.rules: the agent has no tool ${missing.join(', ')}.`);
}
