import { type UsageLine, usageGroupings, type UsageReport } from '../../contracts/usage';
import { apiPath, withQuery } from '../access';
import { command, parseTime } from '../command';
import { type Column, minuteOf, timeOf } from '../terminal/table';

interface Usage {
  readonly from?: string;
  readonly to?: string;
  readonly by?: string;
}

const columns: readonly Column<UsageLine>[] = [
  { title: 'from', of: ({ from }) => minuteOf(from)?.replace(' 00:00Z', '') },
  { title: 'model', of: ({ modelId }) => modelId },
  { title: 'user', of: ({ userId }) => userId },
  { title: 'calls', of: ({ modelCalls }) => modelCalls },
  { title: 'tokens in', of: ({ inputTokens }) => inputTokens },
  { title: 'tokens out', of: ({ outputTokens }) => outputTokens },
];

export const usageCommand = command<Usage>({
  usage: 'usage <tenantId>',
  summary: 'show what a tenant used',
  options: [
    { flags: '--from <time>', description: 'from this time on; also such as 7d', parse: parseTime },
    { flags: '--to <time>', description: 'until before this time', parse: parseTime },
    { flags: '--by <groups>', description: `added up by some of ${usageGroupings.join(', ')}, with commas; by day when absent` },
  ],
  async run(cli, { from, to, by }, tenantId: string) {
    const report = await (await cli.operator()).call<UsageReport>(withQuery(apiPath`/tenants/${tenantId}/usage`, { from, to, by }));
    const shown = columns.filter(({ of }) => report.data.some((line) => of(line) !== undefined));
    cli.out.result(report, () => (report.data.length === 0 ? 'Nothing was used.' : cli.out.table(report.data, shown)));
    cli.out.note(report.rolledUpAt === undefined ? `Nothing was added up yet. Now: tenure maintenance run usage --tenant ${tenantId} --reason "to see it"` : `Added up at ${timeOf(report.rolledUpAt) ?? ''}.`);
  },
});
