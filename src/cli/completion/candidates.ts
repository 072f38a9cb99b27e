import type { Command, Option } from 'commander';

/** Something that may come next on the command line. */
export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** Ids the API knows, by the name of the argument or option value that takes one: `tenantId`, `operationId` … */
export type KnownIds = (name: string, args: readonly string[]) => Promise<readonly Candidate[]>;

/**
 * What may stand in place of the last of these words, by the commands themselves.
 * @param words - all after `tenure`; the last one is being written, and may be empty.
 */
export async function candidatesFor(program: Command, words: readonly string[], idsOf: KnownIds): Promise<Candidate[]> {
  const writing = words.at(-1) ?? '';
  const { command, args, pending } = follow(program, words.slice(0, -1));
  const all = await nextOf(command, args, pending, writing, idsOf);
  return all.filter(({ value }) => value.startsWith(writing));
}

async function nextOf(command: Command, args: readonly string[], pending: Option | undefined, writing: string, idsOf: KnownIds): Promise<readonly Candidate[]> {
  if (pending) return pending.argChoices?.map((value) => ({ value, description: pending.description })) ?? idsOf(nameOf(pending.flags), args);
  if (writing.startsWith('-')) return optionsOf(command);
  const below = command.createHelp().visibleCommands(command);
  if (below.length > 0) return below.map((one) => ({ value: one.name(), description: one.description() }));
  const argument = command.registeredArguments[args.length];
  return argument ? (argument.argChoices?.map((value) => ({ value, description: '' })) ?? idsOf(argument.name(), args)) : [];
}

interface Place {
  readonly command: Command;
  readonly args: readonly string[];
  /** The option whose value comes next. */
  readonly pending: Option | undefined;
}

/** Where the words lead. */
function follow(program: Command, words: readonly string[]): Place {
  let command = program;
  let args: string[] = [];
  let pending: Option | undefined;
  for (const word of words) {
    if (pending) pending = undefined;
    else if (word.startsWith('-')) pending = optionOf(command, word);
    else {
      const sub = command.commands.find((one) => one.name() === word);
      if (sub) [command, args] = [sub, []];
      else args = [...args, word];
    }
  }
  return { command, args, pending };
}

/** The option, when the next word is its value. */
const optionOf = (command: Command, word: string): Option | undefined =>
  lineage(command)
    .flatMap(({ options }) => options)
    .find((option) => (option.long === word || option.short === word) && option.required);

const lineage = (command: Command): Command[] => [command, ...(command.parent ? lineage(command.parent) : [])];

const optionsOf = (command: Command): Candidate[] => [
  ...lineage(command).flatMap(({ options }) => options.filter(({ hidden }) => !hidden).map(({ long, description }) => ({ value: long ?? '', description }))),
  { value: '--help', description: 'show how it is used' },
];

/** `--tenant <tenantId>` → `tenantId` */
const nameOf = (flags: string): string => /<(\w+)/.exec(flags)?.[1] ?? '';
