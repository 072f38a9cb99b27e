import type { ToolSpec } from '../../../contracts/model';
import type { HttpCaller } from '../../../ports/http-caller';
import type { Memory } from '../../../ports/memory';
import { calculator } from './calculator';
import { currentTime } from './current-time';
import { httpRequest } from './http-request';
import { recall, remember } from './memory';
import type { Tool } from './tool';

export interface Toolbox {
  readonly names: readonly string[];
  find(name: string): Tool | undefined;
  /** What the model is offered: those of the names that exist. */
  specs(names: readonly string[]): ToolSpec[];
}

/** The built-in tools. A new one is a file beside this and a line here. */
export function createToolbox({ memory, http }: { memory: Memory; http: HttpCaller }): Toolbox {
  const all = [remember(memory), recall(memory), currentTime, calculator, httpRequest(http)];
  const tools = new Map(all.map((tool) => [tool.spec.name, tool]));
  return {
    names: [...tools.keys()],
    find: (name) => tools.get(name),
    specs: (names) => names.flatMap((name) => tools.get(name)?.spec ?? []),
  };
}
