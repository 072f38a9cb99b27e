import { LRUCache } from 'lru-cache';
import type { ToolSpec } from '../../../contracts/model';
import type { AgentConfig } from '../../../contracts/tenant';
import type { ToolSource } from '../../../contracts/tool-source';
import { allToolsOf } from '../../../domain/agents';
import { expanded, isOfSource, sourceOf } from '../../../domain/source-tools';
import type { HttpCaller } from '../../../ports/http-caller';
import type { Memory } from '../../../ports/memory';
import type { McpServers, SourceCredentials, ToolLister, ToolSources } from '../../../ports/tool-sources';
import { askUserTool } from './ask-user';
import { calculator } from './calculator';
import { calledAgentTool } from './called-agent';
import { currentTime } from './current-time';
import { httpRequest } from './http-request';
import { recall, remember } from './memory';
import { createRelisting } from './source-listing';
import { toolsOfSource } from './source-tools';
import type { Tool } from './tool';

/** Tools one agent may have. */
export interface ToolSet {
  readonly names: readonly string[];
  find(name: string): Tool | undefined;
  /** What the model is offered: those of the names that exist. */
  specs(names: readonly string[]): ToolSpec[];
}

/** The built-in tools, and the way to those of a tenant's sources. */
export interface Toolbox extends ToolSet {
  /** Those that an agent names, patterns (`orders__*`) included, and the agents it may call. Nothing is asked for an agent that names built-in ones only. */
  of(tenantId: string, agent: Pick<AgentConfig, 'tools' | 'agents'>): Promise<ToolSet>;
}

interface Dependencies {
  readonly memory: Memory;
  readonly http: HttpCaller;
  readonly mcp: McpServers;
  readonly sources: ToolSources;
  readonly credentials: SourceCredentials;
  readonly lister: ToolLister;
}

/** A new built-in tool is a file beside this and a line here. */
export function createToolbox(deps: Dependencies): Toolbox {
  const { memory, http } = deps;
  const builtIn = [remember(memory), recall(memory), currentTime, calculator, httpRequest(http), askUserTool];
  const relisting = createRelisting(deps);
  const callers = { ...deps, onChange: relisting.changed, onRefusal: relisting.refused };
  /** Their schemas are compiled once for each listing. */
  const made = new LRUCache<string, Tool[], ToolSource>({ max: 2_000, memoMethod: (_key, _stale, { context }) => toolsOfSource(callers, context) });

  async function sourceTools(tenantId: string, names: readonly string[]): Promise<Tool[]> {
    const wanted = new Set(names.filter(isOfSource).map(sourceOf));
    const known = await deps.sources.known(tenantId, wanted);
    relisting.keepUp(tenantId, known);
    return known.flatMap((source) => made.memo(`${tenantId}/${source.name}/${source.listedAt}/${source.secretOrigins.join()}/${source.tokenOrigins?.join() ?? ''}`, { context: source }));
  }

  return {
    ...setOf(builtIn, []),
    async of(tenantId, agent) {
      const names = allToolsOf(agent);
      // The last of a name counts: an agent keeps its own when a tool of that name is built in later.
      return setOf([...builtIn, ...(names.some(isOfSource) ? await sourceTools(tenantId, names) : []), ...(agent.agents ?? []).map(calledAgentTool)], names);
    },
  };
}

/** @param wanted - names and patterns; empty: all. */
function setOf(all: readonly Tool[], wanted: readonly string[]): ToolSet {
  const tools = new Map(all.map((tool) => [tool.spec.name, tool]));
  return {
    names: wanted.length === 0 ? [...tools.keys()] : expanded(wanted, [...tools.keys()]),
    find: (name) => tools.get(name),
    specs: (names) => names.flatMap((name) => tools.get(name)?.spec ?? []),
  };
}
