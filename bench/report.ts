import type { Arm } from './arms/arm';
import { type EncryptionCost, encryptionTable } from './encryption';
import { type HistoryCost, historyTables } from './history';
import { describe, type Machine } from './machine';
import { type Sample, spread } from './measure';

/** Of one workload. */
export interface Results {
  readonly machine: Machine;
  /** Its name and what it is. */
  readonly title: string;
  readonly samples: readonly Sample[];
  readonly histories?: readonly HistoryCost[];
  readonly encryption?: EncryptionCost;
}

/** Figures of one arm and number of clients, one a repeat. */
export const figures = ({ samples }: Results, arm: string, clients: number, figure: keyof Omit<Sample, 'arm'>) =>
  samples.filter((sample) => sample.arm === arm && sample.clients === clients).map((sample) => sample[figure]);

/** Tenure's over another arm's, formed within each repeat, where both met the same machine. */
function ratios(results: Results, other: Arm['name'], clients: number, figure: keyof Omit<Sample, 'arm'>): number[] {
  const others = figures(results, other, clients, figure);
  return figures(results, 'tenure', clients, figure).map((value, repeat) => value / (others[repeat] ?? Number.NaN));
}

/** What a turn takes beyond model and tools: beyond the arm that has nothing else. */
function overheads(results: Results, arm: string, clients: number): number[] {
  const floor = figures(results, 'node', clients, 'p50Ms');
  return figures(results, arm, clients, 'p50Ms').map((value, repeat) => value - (floor[repeat] ?? Number.NaN));
}

export function toMarkdown(results: Results): string {
  const clientCounts = [...new Set(results.samples.map(({ clients }) => clients))];
  const arms = [...new Set(results.samples.map(({ arm }) => arm))];
  const rows = clientCounts.flatMap((clients) =>
    arms.map((arm) => {
      const of = (figure: keyof Omit<Sample, 'arm'>, digits = 1) => spread(figures(results, arm, clients, figure), digits);
      return `| ${clients} | ${arm} | ${of('p50Ms')} | ${of('p99Ms')} | ${of('turnsPerSecond')} | ${of('cpuMsPerTurn')} | ${of('serverCpuMsPerTurn')} |`;
    }),
  );
  return [
    describe(results.machine),
    '',
    `### ${results.title}`,
    'Median of the repeats (smallest–largest).',
    '',
    '| clients | arm | p50 ms | p99 ms | turns/s | CPU ms/turn, own | CPU ms/turn, servers |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
    ...bareTable(results, clientCounts),
    ...peerTable(results, clientCounts),
    ...(results.histories ? historyTables(results.histories) : []),
    ...(results.encryption ? encryptionTable(results.encryption, results.samples) : []),
  ].join('\n');
}

const ran = ({ samples }: Results, ...names: Arm['name'][]): boolean => names.every((name) => samples.some(({ arm }) => arm === name));

function bareTable(results: Results, clientCounts: readonly number[]): string[] {
  if (!ran(results, 'bare', 'tenure')) return [];
  const beyond = (arm: Arm['name'], clients: number) => (ran(results, 'node') ? spread(overheads(results, arm, clients), 1) : '–');
  const rows = clientCounts.map((clients) => {
    const of = (figure: keyof Omit<Sample, 'arm'>) => spread(ratios(results, 'bare', clients, figure), 2);
    return `| ${clients} | ${of('p50Ms')} | ${of('p99Ms')} | ${of('turnsPerSecond')} | ${beyond('bare', clients)} | ${beyond('tenure', clients)} |`;
  });
  return ['#### Tenure / bare Temporal', '| clients | p50 | p99 | turns/s | beyond model and tools, ms: bare | tenure |', '|---|---|---|---|---|---|', ...rows, ''];
}

function peerTable(results: Results, clientCounts: readonly number[]): string[] {
  if (!ran(results, 'langgraph', 'tenure')) return [];
  const rows = clientCounts.map((clients) => {
    const of = (figure: keyof Omit<Sample, 'arm'>) => spread(ratios(results, 'langgraph', clients, figure), 2);
    return `| ${clients} | ${of('p50Ms')} | ${of('turnsPerSecond')} |`;
  });
  return ['#### Tenure / LangGraph', '| clients | p50 | turns/s |', '|---|---|---|', ...rows, ''];
}
