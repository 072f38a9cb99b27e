import { operationKinds, operationStates } from '../../contracts/names';
import type { Operation, OperationSummary } from '../../contracts/operation';
import { apiPath } from '../access';
import type { Cli } from '../cli';
import { command, type GroupSpec, parseTime, shared } from '../command';
import { renderOperation } from '../progress/render';
import { watchToEnd, type Waiting } from '../progress/run';
import { type Column, durationOf, minuteOf } from '../terminal/table';

interface Filter {
  readonly tenant?: string;
  readonly kind?: string;
  readonly state?: string;
  readonly stuck?: true;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: number;
}

const columns: readonly Column<OperationSummary>[] = [
  { title: 'operation', of: ({ operationId }) => operationId },
  { title: 'state', of: ({ state, stuck }) => (stuck ? `${state}, stuck` : state) },
  { title: 'started', of: ({ startedAt }) => minuteOf(startedAt) },
  { title: 'took', of: ({ startedAt, finishedAt }) => finishedAt && durationOf(Date.parse(finishedAt) - Date.parse(startedAt)), spare: true },
];

export const operationCommands: GroupSpec = {
  name: 'operation',
  summary: 'see, follow and steer what is done to tenants',
  commands: [
    command<Filter>({
      usage: 'list',
      summary: 'list operations, newest first',
      options: [
        { flags: '--tenant <tenantId>', description: 'of this tenant' },
        { flags: '--kind <kind>', description: 'of this kind', choices: operationKinds },
        { flags: '--state <state>', description: 'in this state', choices: operationStates },
        { flags: '--stuck', description: 'only those that need help' },
        { flags: '--since <time>', description: 'begun at this time or later; also such as 2h', parse: parseTime },
        { flags: '--until <time>', description: 'begun before this time; also such as 2h', parse: parseTime },
        shared.limit,
      ],
      examples: ['tenure operation list --stuck', 'tenure operation list --tenant acme --since 24h'],
      async run(cli, { tenant, kind, state, stuck, since, until, limit = 50 }) {
        const query = { tenantId: tenant, kind, state, stuck: stuck && 'true', since, until };
        cli.out.list(await (await cli.operator()).all<OperationSummary>('/api/v1/operations', query, limit), columns, 'There are none.');
      },
    }),
    command({
      usage: 'show <operationId>',
      summary: 'show an operation step by step',
      async run(cli, _options, operationId: string) {
        const operation = await (await cli.operator()).call<Operation>(apiPath`/operations/${operationId}`);
        cli.out.result(operation, () => renderOperation(operation, { paint: cli.out.paint, nowMs: Date.now() }).join('\n'));
      },
    }),
    command({
      usage: 'watch <operationId>',
      summary: 'follow an operation to its end; Ctrl-C leaves it running. With --json: a line for each change',
      async run(cli, _options, operationId: string) {
        const { out } = cli;
        const line = out.json ? (operation: Operation) => out.write(`${JSON.stringify(operation)}\n`) : undefined;
        await watchToEnd(cli, await cli.operator(), operationId, line);
      },
    }),
    command<Waiting>({
      usage: 'cancel <operationId>',
      summary: 'cancel an operation, as long as that is possible, and watch it being undone',
      options: [shared.noWait],
      run: (cli, options, operationId: string) => steer(cli, 'cancel', operationId, options),
    }),
    command<Waiting>({
      usage: 'retry <operationId>',
      summary: 'make the next attempt of a failing step or undo now, and watch',
      options: [shared.noWait],
      run: (cli, options, operationId: string) => steer(cli, 'retry', operationId, options),
    }),
  ],
};

/** What an operation that is taken back ends as is what was asked for. */
async function steer(cli: Cli, verb: 'cancel' | 'retry', operationId: string, { wait = true }: Waiting): Promise<void> {
  const access = await cli.operator();
  const operation = await access.call<Operation>(`${apiPath`/operations/${operationId}`}/${verb}`, { method: 'POST' });
  const goesBack = verb === 'cancel' || operation.state === 'undoing';
  if (wait) return watchToEnd(cli, access, operationId, undefined, goesBack ? ['cancelled', 'undone'] : ['completed']);
  cli.out.result(operation, () => operationId);
}
