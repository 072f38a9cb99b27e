import { InvalidArgumentError } from 'commander';
import { AgentConfig } from '../../contracts/tenant';
import { apiPath } from '../access';
import type { Cli } from '../cli';
import { command, shared } from '../command';
import { CliFailure, exitCodes } from '../failures';
import { startOperation, type Waiting } from '../progress/run';
import { readJsonFile } from '../terminal/files';

interface Config extends Waiting {
  readonly set?: Readonly<Record<string, unknown>>;
  readonly file?: string;
}

/** `maxStepsPerTurn=5`, `tools=["recall"]`, `systemPrompt=Be brief.`: JSON where it is JSON, text elsewhere. */
function parseSetting(text: string, before: unknown): Record<string, unknown> {
  const [, name, value] = /^(\w+)=([\s\S]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It is name=value.');
  return { ...(before as Record<string, unknown> | undefined), [name]: valueOf(value) };
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export const configCommand = command<Config>({
  usage: 'config <tenantId>',
  summary: "show a tenant's agent, or change it: from the next turn on",
  options: [
    { flags: '--set <name=value>', description: 'change these settings, keep the others', parse: parseSetting },
    { flags: '--file <file>', description: 'replace all settings by this JSON; - reads standard input' },
    shared.noWait,
  ],
  examples: ['tenure tenant config acme', `tenure tenant config acme --set maxStepsPerTurn=5 --set 'tools=["recall","remember"]'`],
  async run(cli, { set, file, ...waiting }, tenantId: string) {
    const before = file === undefined ? await current(cli, tenantId) : await readJsonFile(file);
    if (!set && file === undefined) {
      cli.out.result(before, () => cli.out.facts(asFacts(before)));
      return;
    }
    if (set) refuseUnknown(Object.keys(set));
    const agent = { ...(before as object), ...set };
    await startOperation(cli, apiPath`/tenants/${tenantId}/configuration`, { method: 'POST', body: { agent } }, waiting);
  },
});

/** The API says which it does not know, but not which there are. */
function refuseUnknown(names: readonly string[]): void {
  const known = Object.keys(AgentConfig.shape);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new CliFailure(exitCodes.usage, `There is no setting ${unknown.join(', ')}.`, `There are: ${known.join(', ')}`);
}

const current = async (cli: Cli, tenantId: string): Promise<AgentConfig> => (await cli.operator()).call(apiPath`/tenants/${tenantId}/config`);

const asFacts = (agent: unknown): Record<string, string> =>
  Object.fromEntries(Object.entries(agent as object).map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]));
