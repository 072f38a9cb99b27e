import { z } from 'zod';
import type { UsagePeriod } from '../../contracts/names';
import { AnyTenantId } from '../../contracts/tenant';
import { usageGroupings, UsageReport } from '../../contracts/usage';
import { groupUsage, periodFor, periodOf, sumOf } from '../../domain/usage';
import type { UsageStore } from '../../ports/usage';
import { InvalidRequest } from '../problem';
import { queryTime } from '../query-values';
import { type Route, sharedRoute } from '../route';

const TenantPath = z.object({ tenantId: AnyTenantId });

const grouping = `(${usageGroupings.join('|')})`;
const groupings = new RegExp(`^${grouping}(,${grouping})*$`);

const Query = z.object({
  from: queryTime.optional().describe('a date, or an ISO time in UTC; 30 days ago by default'),
  to: queryTime.optional().describe('not included; now by default'),
  by: z
    .string()
    .regex(groupings, 'names of what to add up by, with commas')
    .default('day')
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(usageGroupings)))
    .describe(`what to add up by: some of ${usageGroupings.join(', ')}, with commas`),
});

const dayMs = 86_400_000;
/** Times before that year are written in another way. */
const firstMs = Date.parse('0000-01-01');
const longestDays: Readonly<Record<UsagePeriod, number>> = { hour: 35, day: 750 };

export const usageRoutes = ({ usage }: { readonly usage: UsageStore }): Route[] => [
  sharedRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/usage',
    summary: 'Show what the tenant used, by hour, day, model, user and agent',
    permission: 'read:usage',
    params: TenantPath,
    query: Query,
    response: UsageReport,
    status: 200,
    async handle({ params: { tenantId }, query: { by, ...times } }) {
      const { from, to, period } = rangeOf(times, by);
      // First, so that the figures have all it speaks of.
      const { rolledUpAt } = await usage.progress(tenantId);
      const cells = await usage.read(tenantId, { period, from: periodOf(period, from), to: endOf(period, to) });
      return { body: { tenantId, from, to, ...(rolledUpAt !== undefined && { rolledUpAt }), data: groupUsage(cells, by), total: sumOf(cells) } };
    },
  }),
];

/** @throws DomainError `request/inconsistent` when the time is turned round or too long. */
function rangeOf({ from, to }: { from?: string | undefined; to?: string | undefined }, by: z.output<typeof Query>['by']) {
  // To the end of today, so that whole days answer.
  const end = to ?? new Date(Math.ceil(Date.now() / dayMs) * dayMs).toISOString();
  const start = from ?? new Date(Math.max(firstMs, Date.parse(end) - 30 * dayMs)).toISOString();
  const period = periodFor(by, start, end);
  const days = (Date.parse(end) - Date.parse(start)) / dayMs;
  if (days <= 0) throw new InvalidRequest([{ path: 'query.from', message: 'it must be before `to`' }], 'request/inconsistent');
  if (days > longestDays[period]) throw new InvalidRequest([{ path: 'query.from', message: `by ${period}, ask for at most ${longestDays[period]} days` }], 'request/inconsistent');
  return { from: start, to: end, period };
}

/** The period that `to` lies in belongs to the answer when it has begun before it. */
const endOf = (period: UsagePeriod, to: string): string => periodOf(period, new Date(Date.parse(to) + (period === 'hour' ? 3_599_999 : dayMs - 1)).toISOString());
