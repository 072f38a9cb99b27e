import { DomainError } from '../contracts/errors';
import type { AgentConfig } from '../contracts/tenant';
import { sourceToolPattern } from '../contracts/tool-source';

/** Tools of sources may be named before their source is there, and after it has gone: then there is none. @throws DomainError `config/invalid` when the agent names a tool that does not exist. */
export function checkTools({ tools }: AgentConfig, toolNames: readonly string[]): void {
  const unknown = tools.filter((tool) => !toolNames.includes(tool) && !sourceToolPattern.test(tool));
  if (unknown.length > 0) throw new DomainError('config/invalid', `There is no tool ${unknown.join(', ')}. There are: ${toolNames.join(', ')}, and those of tool sources such as orders__list or orders__*.`);
}
