import { type UsageLine, usageGroupings, type UsageReport } from '../../contracts/usage';
import { usageFigures } from '../../domain/usage';
import { apiPath, withQuery } from '../access';
import { command, parseTime } from '../command';
import { type Column, minuteOf, timeOf } from '../terminal/table';

interface Usage {
  readonly from?: string;
  readonly to?: string;
  readonly by?: string;
  readonly csv?: true;
}

const columns: readonly Column<UsageLine>[] = [
  { title: 'from', of: ({ from }) => minuteOf(from)?.replace(' 00:00Z', '') },
  { title: 'model', of: ({ modelId }) => modelId },
  { title: 'user', of: ({ userId }) => userId },
  { title: 'agent', of: ({ agent }) => agent },
  { title: 'calls', of: ({ modelCalls }) => modelCalls },
  { title: 'tokens in', of: ({ inputTokens }) => inputTokens },
  { title: 'tokens out', of: ({ outputTokens }) => outputTokens },
  { title: 'USD', of: ({ costMicroUsd }) => dollarsOf(costMicroUsd) },
  { title: 'without price', of: ({ unpricedCalls }) => unpricedCalls },
  { title: 'tokens in summaries', of: ({ compactionTokens }) => compactionTokens },
  { title: 'tokens for facts', of: ({ extractionTokens }) => extractionTokens },
  { title: 'tokens wasted', of: ({ wastedTokens }) => wastedTokens },
  { title: 'USD wasted', of: ({ wastedMicroUsd }) => dollarsOf(wastedMicroUsd) },
];

const dollarsOf = (microUsd: number | undefined): string | undefined => (microUsd === undefined ? undefined : (microUsd / 1_000_000).toFixed(6));

export const usageCommand = command<Usage>({
  usage: 'usage <tenantId>',
  summary: 'show what a tenant used',
  options: [
    { flags: '--from <time>', description: 'from this time on; also such as 7d', parse: parseTime },
    { flags: '--to <time>', description: 'until before this time', parse: parseTime },
    { flags: '--by <groups>', description: `added up by some of ${usageGroupings.join(', ')}, with commas; by day when absent` },
    { flags: '--csv', description: 'as comma-separated values, micro-dollars and all' },
  ],
  async run(cli, { from, to, by, csv }, tenantId: string) {
    const report = await (await cli.operator()).call<UsageReport>(withQuery(apiPath`/tenants/${tenantId}/usage`, { from, to, by }));
    if (csv) {
      cli.out.write(csvOf(report.data));
      return;
    }
    const shown = columns.filter(({ of }) => report.data.some((line) => of(line) !== undefined));
    cli.out.result(report, () => (report.data.length === 0 ? 'Nothing was used.' : cli.out.table(report.data, shown)));
    cli.out.note(report.rolledUpAt === undefined ? `Nothing was added up yet. Now: tenure maintenance run usage --tenant ${tenantId} --reason "to see it"` : `Added up at ${timeOf(report.rolledUpAt) ?? ''}.`);
  },
});

const csvColumns = ['from', 'modelId', 'userId', 'agent', ...usageFigures] as const satisfies readonly (keyof UsageLine)[];

/** RFC 4180, with a line of names. What is absent of figures is 0. */
export function csvOf(lines: readonly UsageLine[]): string {
  const cell = (value: string | number): string => (/[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  const rows = lines.map((line) => csvColumns.map((name) => cell(line[name] ?? ((usageFigures as readonly string[]).includes(name) ? 0 : ''))).join(','));
  return [csvColumns.join(','), ...rows, ''].join('\r\n');
}
