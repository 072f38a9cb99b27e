import { type Command, InvalidArgumentError, Option } from 'commander';
import { Cli, type GlobalOptions } from './cli';

export interface OptionSpec {
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
  readonly default?: string;
  readonly parse?: (text: string, before: unknown) => unknown;
  readonly required?: true;
}

/** A command, as a row of its group's table. */
export interface CommandSpec {
  /** Its name and arguments, as commander writes them: `show <tenantId>`. */
  readonly usage: string;
  readonly summary: string;
  readonly options?: readonly OptionSpec[];
  readonly examples?: readonly string[];
  /** Left out of help, documentation and completion. */
  readonly hidden?: true;
  readonly run: (cli: Cli, options: Record<string, unknown>, ...args: string[]) => Promise<void>;
}

export interface GroupSpec {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly CommandSpec[];
}

/** A row whose options are these: what the flags say is the caller's to know. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- it types `run` where the row is written
export const command = <Options extends object = object>(
  spec: Omit<CommandSpec, 'run'> & { run: (cli: Cli, options: Options, ...args: string[]) => Promise<void> },
): CommandSpec => ({ ...spec, run: spec.run as unknown as CommandSpec['run'] });

/** Puts commands under a command of commander's. */
export function addCommands(parent: Command, specs: readonly (CommandSpec | GroupSpec)[]): void {
  for (const spec of specs) {
    if ('commands' in spec) addCommands(parent.command(spec.name).description(spec.summary), spec.commands);
    else addCommand(parent, spec);
  }
}

function addCommand(parent: Command, { usage, summary, options = [], examples = [], hidden, run }: CommandSpec): void {
  const added = parent.command(usage, { hidden: hidden === true }).description(summary);
  for (const option of options) added.addOption(optionOf(option));
  if (examples.length > 0) added.addHelpText('after', `\nExamples:\n${examples.map((example) => `  ${example}`).join('\n')}`);
  added.action(async (...given: unknown[]) => {
    const args = given.slice(0, -2) as string[];
    await run(new Cli(added.optsWithGlobals<GlobalOptions>()), added.opts(), ...args);
  });
}

function optionOf({ flags, description, choices, default: preset, parse, required }: OptionSpec): Option {
  const option = new Option(flags, description);
  if (choices) option.choices(choices);
  if (preset !== undefined) option.default(preset);
  if (parse) option.argParser(parse);
  if (required) option.makeOptionMandatory();
  return option;
}

const secondsIn: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `90`, `90s`, `15m`, `12h`, `7d` as seconds. */
export function parseSeconds(text: string): number {
  const [, count, unit = 's'] = /^(\d+)([smhd]?)$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError('It is a number of seconds, or such as 15m, 12h, 7d.');
  return Number(count) * (secondsIn[unit || 's'] ?? 1);
}

export function parseCount(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('It is a number from 1 on.');
  return Number(text);
}

/** For an option that may be repeated: all that it was given. */
export const collect = (text: string, before: unknown): string[] => [...((before as string[] | undefined) ?? []), text];

/** A time as the API takes it: ISO 8601, or a time ago such as `2h`. */
export function parseTime(text: string): string {
  if (/^\d+[smhd]$/.test(text)) return new Date(Date.now() - parseSeconds(text) * 1_000).toISOString();
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new InvalidArgumentError('It is a time such as 2026-11-24T08:00:00Z, or a time ago such as 2h.');
  return new Date(time).toISOString();
}

/** Options more than one command has. */
export const shared = {
  noWait: { flags: '--no-wait', description: 'do not watch the operation: print it and return' },
  yes: { flags: '--yes', description: 'do not ask; only together with --confirm' },
  confirm: { flags: '--confirm <id>', description: 'the id, repeated' },
  limit: { flags: '--limit <count>', description: 'no more than this many', parse: parseCount },
  user: { flags: '--user <email>', description: 'at the local stack: who speaks; created when missing', default: 'you@example.com' },
  administrator: { flags: '--user <email>', description: 'at the local stack: which administrator; created when missing', default: 'admin@example.com' },
} as const satisfies Record<string, OptionSpec>;
