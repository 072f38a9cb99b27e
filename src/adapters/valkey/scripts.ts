import type { Valkey } from './connection';

const clock = `
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/**
 * Makes a call of a script. All run in one step, and know the time as `nowMs`, by Valkey's clock: those of the processes may differ.
 * @param name - that no other script has. @param lua - `KEYS` and `ARGV` are what is called with.
 */
export function defineScript<Answer>({ commands }: Pick<Valkey, 'commands'>, name: string, lua: string): (keys: readonly string[], ...input: readonly (string | number)[]) => Promise<Answer> {
  commands.defineCommand(name, { lua: clock + lua });
  const calls = commands as unknown as Record<string, (...input: readonly (string | number)[]) => Promise<Answer>>;
  return (keys, ...input) => calls[name]?.(keys.length, ...keys, ...input) ?? Promise.reject(new Error(`no script is called ${name}`));
}
