import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { version as temporalVersion } from '@temporalio/client/package.json';
import type { Arm } from './arms/arm';
import type { EncryptionCost } from './encryption';
import type { HistoryCost } from './history';
import { type LongSession, windowTurns } from './long-session';
import type { NeighbourSample } from './neighbours';
import { quantile, type Sample } from './measure';

/** Of one workload. */
export interface Results {
  readonly machine: Record<string, string | number>;
  /** Its name and what it is. */
  readonly title: string;
  readonly samples: readonly Sample[];
  readonly histories?: readonly HistoryCost[];
  readonly encryption?: EncryptionCost;
}

export interface LongResults {
  readonly machine: Results['machine'];
  /** One of each arm a repeat. */
  readonly sessions: readonly LongSession[];
}

export const describeMachine = (arms: readonly Arm[] = []): Results['machine'] => ({
  date: new Date().toISOString(),
  cpu: os.cpus()[0]?.model ?? 'unknown',
  cores: os.cpus().length,
  memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  node: process.version,
  temporalSdk: temporalVersion,
  ...Object.fromEntries(arms.flatMap(({ versions = {} }) => Object.entries(versions))),
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
});

const median = (values: readonly number[]) => quantile(values, 0.5);
export const spread = (values: readonly number[], digits: number) =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;

/** Figures of one arm and number of clients, one a repeat. */
const figures = ({ samples }: Results, arm: string, clients: number, figure: keyof Omit<Sample, 'arm'>) =>
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

export const describe = (machine: Results['machine']): string => `Machine: ${Object.entries(machine).map(([key, value]) => `${key} ${value}`).join(' · ')}`;

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
    ...encryptionTable(results),
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

const historyTables = (histories: readonly HistoryCost[]): string[] => [
  '#### What a turn leaves in history',
  '| arm | events | bytes |',
  '|---|---|---|',
  ...histories.map(({ arm, eventsPerTurn, bytesPerTurn }) => `| ${arm} | ${eventsPerTurn.toFixed(1)} | ${bytesPerTurn.toFixed(0)} |`),
  '',
  '#### Where a turn goes, by the server’s clock (one client, median ms)',
  ...histories.flatMap(({ arm, stages }) => ['', `**${arm}**`, '', '| from → to | ms |', '|---|---|', ...stages.map(({ stage, ms }) => `| ${stage} | ${ms.toFixed(1)} |`)]),
  '',
];

/** Whether a session slows down as it grows. */
export function longToMarkdown({ machine, sessions }: LongResults): string {
  const rows = [...new Set(sessions.map(({ arm }) => arm))].map((arm) => {
    const own = sessions.filter((session) => session.arm === arm);
    const of = (figure: (session: LongSession) => number, digits: number) => spread(own.map(figure), digits);
    const growth = of(({ windowsMs }) => (windowsMs.at(-1) ?? Number.NaN) / (windowsMs[0] ?? Number.NaN), 2);
    return `| ${arm} | ${own[0]?.turns ?? 0} | ${of(({ earlyMs }) => earlyMs, 1)} | ${of(({ lateMs }) => lateMs, 1)} | ${of(({ earlyMs, lateMs }) => lateMs / earlyMs, 2)} | ${growth} |`;
  });
  return [
    describe(machine),
    '',
    '### W3: one session of many turns',
    `| arm | turns | p50 ms, turns 5 to 54 | p50 ms, the last 50 | late / early | last ${windowTurns} / first ${windowTurns} |`,
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    ...windowTable(sessions),
    ...crossing(sessions),
  ].join('\n');
}

/** Medians of the repeats, window by window. */
function windowsOf(sessions: readonly LongSession[], arm: Arm['name']): number[] {
  const own = sessions.filter((session) => session.arm === arm);
  return (own[0]?.windowsMs ?? []).map((_, index) => median(own.map(({ windowsMs }) => windowsMs[index] ?? Number.NaN)));
}

function windowTable(sessions: readonly LongSession[]): string[] {
  const arms = [...new Set(sessions.map(({ arm }) => arm))];
  const columns = arms.map((arm) => windowsOf(sessions, arm));
  const rows = (columns[0] ?? []).map((_, index) => `| ${index * windowTurns + 1}–${(index + 1) * windowTurns} | ${columns.map((column) => (column[index] ?? Number.NaN).toFixed(1)).join(' | ')} |`);
  return ['#### p50 ms as it grows', `| turns | ${arms.join(' | ')} |`, `|---${'|---'.repeat(arms.length)}|`, ...rows, ''];
}

/** From where on Tenure stays ahead of the peer. */
function crossing(sessions: readonly LongSession[]): string[] {
  const [ours, theirs] = [windowsOf(sessions, 'tenure'), windowsOf(sessions, 'langgraph')];
  if (ours.length === 0 || theirs.length === 0) return [];
  const first = ours.findLastIndex((ms, index) => ms >= (theirs[index] ?? Number.NaN)) + 1;
  const words = first < ours.length ? `Tenure is faster than LangGraph from turn ${first * windowTurns + 1} on` : `LangGraph is as fast as Tenure, or faster, up to turn ${ours.length * windowTurns}`;
  return [`${words} (medians of ${windowTurns} turns).`, ''];
}

/** Whether many tenants notice one that asks for fifty times its share. */
export function neighboursToMarkdown({ machine, samples }: { machine: Results['machine']; samples: readonly NeighbourSample[] }): string {
  const [alone, beside] = [false, true].map((isNoisy) => samples.filter((sample) => sample.isNoisy === isNoisy)) as [NeighbourSample[], NeighbourSample[]];
  const rowOf = (title: string, of: readonly NeighbourSample[]) => {
    const sum = (figure: (sample: NeighbourSample) => number) => of.reduce((total, sample) => total + figure(sample), 0);
    return `| ${title} | ${sum(({ turns }) => turns)} | ${spread(of.map(({ p50Ms }) => p50Ms), 1)} | ${spread(of.map(({ p99Ms }) => p99Ms), 1)} | ${sum(({ noise }) => noise.answered)} | ${sum(({ noise }) => noise.refused)} |`;
  };
  const ratio = (figure: 'p50Ms' | 'p99Ms') => spread(beside.map((sample, repeat) => sample[figure] / (alone[repeat]?.[figure] ?? Number.NaN)), 2);
  return [
    describe(machine),
    '',
    '### Neighbours: twenty tenants, and one that asks for fifty times its share',
    '| the twenty | turns | p50 ms | p99 ms | the one: answered | refused |',
    '|---|---|---|---|---|---|',
    rowOf('alone', alone),
    rowOf('beside it', beside),
    '',
    `Beside it / alone: p50 ${ratio('p50Ms')}, p99 ${ratio('p99Ms')}.`,
    '',
  ].join('\n');
}

function encryptionTable({ encryption: cost, samples }: Results): string[] {
  if (!cost) return [];
  const totalMs = cost.sealed.reduce((sum, { sealMsPerTurn, openMsPerTurn }) => sum + sealMsPerTurn + openMsPerTurn, 0);
  const fewest = Math.min(...samples.map(({ clients }) => clients));
  const bare = samples.filter(({ arm, clients }) => arm === 'bare' && clients === fewest);
  const cpuMs = median(bare.map(({ cpuMsPerTurn, serverCpuMsPerTurn }) => cpuMsPerTurn + serverCpuMsPerTurn));
  const share = bare.length === 0 ? '' : `, ${((100 * totalMs) / cpuMs).toFixed(1)} % of the processor time of a bare turn (${fewest} client${fewest === 1 ? '' : 's'})`;
  return [
    '#### What encryption and credentials cost a turn',
    'Processor time; data keys in memory. Each piece is encrypted once, and decrypted once where it is used; of the log nothing is decrypted by a process that wrote it.',
    '',
    '| what | pieces | bytes, plain → encrypted | to encrypt, ms | to decrypt, ms |',
    '|---|---|---|---|---|',
    ...cost.sealed.map(
      ({ what, piecesPerTurn, plainBytesPerTurn, sealedBytesPerTurn, sealMsPerTurn, openMsPerTurn }) =>
        `| ${what} | ${piecesPerTurn.toFixed(1)} | ${plainBytesPerTurn.toFixed(0)} → ${sealedBytesPerTurn.toFixed(0)} | ${sealMsPerTurn.toFixed(3)} | ${openMsPerTurn.toFixed(3)} |`,
    ),
    '',
    `Together ${totalMs.toFixed(2)} ms${share}. Credentials for a tenant and purpose: from STS, once an hour, ${cost.coldCredentialsMs.toFixed(1)} ms; in memory ${cost.warmCredentialsMs.toFixed(4)} ms.`,
    '',
  ];
}

/** Bars of the median p50 by number of clients, as an SVG that a README can show. */
export function toChart(results: Results): string {
  const clientCounts = [...new Set(results.samples.map(({ clients }) => clients))];
  const arms = [...new Set(results.samples.map(({ arm }) => arm))];
  const colours: Record<string, string> = { node: '#9aa5b1', bare: '#5b7db1', tenure: '#1f9d6b', langgraph: '#c77d2b' };
  const bars = clientCounts.flatMap((clients, group) => arms.map((arm, index) => ({ clients, arm, group, index, ms: median(figures(results, arm, clients, 'p50Ms')) })));
  const longestMs = Math.max(...bars.map(({ ms }) => ms));
  const rowHeight = 22;
  const groupHeight = (arms.length + 1) * rowHeight;
  const lines = bars.map(({ clients, arm, group, index, ms }) => {
    const y = 40 + group * groupHeight + index * rowHeight;
    const width = Math.max(1, (ms / longestMs) * 420);
    return [
      index === 0 ? `<text x="10" y="${y - 4}" font-weight="bold">${clients} client${clients === 1 ? '' : 's'}</text>` : '',
      `<text x="10" y="${y + 13}">${arm}</text><rect x="80" y="${y}" width="${width.toFixed(0)}" height="16" fill="${colours[arm] ?? '#888'}"/>`,
      `<text x="${(88 + width).toFixed(0)}" y="${y + 13}">${ms.toFixed(1)} ms</text>`,
    ].join('');
  });
  const height = 40 + clientCounts.length * groupHeight;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="620" height="${height}" font-family="sans-serif" font-size="12"><rect width="620" height="${height}" fill="white"/><text x="10" y="16" font-size="14">Time to answer, p50</text>${lines.join('')}</svg>\n`;
}
