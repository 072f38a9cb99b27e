import { DomainError } from '../../../contracts/errors';
import type { JsonValue, ToolSpec } from '../../../contracts/model';
import type { HttpCaller } from '../../../ports/http-caller';
import type { Memory } from '../../../ports/memory';
import { calculator } from './calculator';
import { currentTime } from './current-time';
import { httpRequest } from './http-request';
import { recall, remember } from './memory';
import type { Tool, ToolContext } from './tool';

export interface Toolbox {
  readonly names: readonly string[];
  find(name: string): Tool | undefined;
  /** What the model is offered: those of the names that exist. */
  specs(names: readonly string[]): ToolSpec[];
  /** @throws DomainError `tool/unknown`, `tool/invalid-input`, `tool/failed` */
  run(name: string, input: JsonValue, context: ToolContext): Promise<JsonValue>;
}

/** The built-in tools. A new one is a file beside this and a line here. */
export function createToolbox({ memory, http }: { memory: Memory; http: HttpCaller }): Toolbox {
  const all = [remember(memory), recall(memory), currentTime, calculator, httpRequest(http)];
  const tools = new Map(all.map((tool) => [tool.spec.name, tool]));
  return {
    names: [...tools.keys()],
    find: (name) => tools.get(name),
    specs: (names) => names.flatMap((name) => tools.get(name)?.spec ?? []),
    async run(name, input, context) {
      const tool = tools.get(name);
      if (!tool || !context.agent.tools.includes(name)) throw new DomainError('tool/unknown', `There is no tool "${name}".`);
      return tool.run(input, context);
    },
  };
}
