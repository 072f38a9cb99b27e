import { DomainError } from '../contracts/errors';
import type { AgentConfig } from '../contracts/tenant';

/** @throws DomainError `config/invalid` when the agent names a tool that does not exist. */
export function checkTools({ tools }: AgentConfig, toolNames: readonly string[]): void {
  const unknown = tools.filter((tool) => !toolNames.includes(tool));
  if (unknown.length > 0) throw new DomainError('config/invalid', `There is no tool ${unknown.join(', ')}. There are: ${toolNames.join(', ')}.`);
}
