import type { Valkey } from './connection';

const clock = `
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
`;

type Input = readonly (string | number | Buffer)[];

/**
 * Makes a call of a script. All run in one step, and know the time as `nowMs`, by Valkey's clock: those of the processes may differ.
 * @param name - that no other script has. @param lua - `KEYS` and `ARGV` are what is called with. @param answersIn - `bytes`: what would be text in the answer is a `Buffer`.
 */
export function defineScript<Answer>({ commands }: Pick<Valkey, 'commands'>, name: string, lua: string, answersIn: 'text' | 'bytes' = 'text'): (keys: readonly string[], ...input: Input) => Promise<Answer> {
  commands.defineCommand(name, { lua: clock + lua });
  const calls = commands as unknown as Record<string, (...input: Input) => Promise<Answer>>;
  const call = calls[answersIn === 'text' ? name : `${name}Buffer`]?.bind(commands);
  return (keys, ...input) => call?.(keys.length, ...keys, ...input) ?? Promise.reject(new Error(`no script is called ${name}`));
}
