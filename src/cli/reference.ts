import type { Command, Option } from 'commander';

/** All commands as Markdown, from the tree itself: docs/cli.md holds it, and a test compares. */
export function commandReference(program: Command): string {
  const groups = visible(program).filter((command) => command.name() !== 'help');
  const single = groups.filter((command) => command.commands.length === 0);
  const nested = groups.filter((command) => command.commands.length > 0);
  return [
    '### Everywhere\n',
    optionTable(program.options),
    ...single.map((command) => commandSection(command)),
    ...nested.flatMap((group) => visible(group).filter((command) => command.name() !== 'help').map((command) => commandSection(command))),
  ].join('\n');
}

const visible = (command: Command): Command[] => command.createHelp().visibleCommands(command);

const pathOf = (command: Command): string => (command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name());

function commandSection(command: Command): string {
  const args = command.registeredArguments.map((argument) => (argument.required ? ` <${argument.name()}>` : ` [${argument.name()}]`)).join('');
  const summary = command.description();
  return `\n### \`${pathOf(command)}${args}\`\n\n${summary.charAt(0).toUpperCase()}${summary.slice(1)}.\n${command.options.length > 0 ? `\n${optionTable(command.options)}` : ''}`;
}

const optionTable = (options: readonly Option[]): string =>
  ['| option | |', '|---|---|', ...options.filter(({ hidden }) => !hidden).map((option) => `| \`${option.flags}\` | ${describe(option)} |`), ''].join('\n');

function describe({ description, argChoices, defaultValue, mandatory }: Option): string {
  const facts = [
    ...(mandatory ? ['needed'] : []),
    ...(argChoices ? [argChoices.map((choice) => `\`${choice}\``).join(', ')] : []),
    ...(typeof defaultValue === 'string' ? [`default \`${defaultValue}\``] : []),
  ];
  return `${description.replaceAll('|', '\\|')}${facts.length > 0 ? ` (${facts.join('; ')})` : ''}`;
}
