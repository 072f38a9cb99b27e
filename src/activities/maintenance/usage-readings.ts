import { metrics } from '../../contracts/names';
import type { UsageCell, UsageFigures } from '../../contracts/usage';
import type { Reading } from '../../ports/metrics';
import { beginningOf, sumOf } from '../../domain/usage';

const published = [
  [metrics.inputTokens, 'inputTokens'],
  [metrics.outputTokens, 'outputTokens'],
  [metrics.modelCalls, 'modelCalls'],
  [metrics.modelCost, 'costMicroUsd'],
  [metrics.wastedTokens, 'wastedTokens'],
] as const satisfies readonly (readonly [string, keyof UsageFigures])[];

/** What a tenant used, for its graphs and alarms: one reading for each figure and hour; none of what is 0. */
export function usageReadings(tenantId: string, hours: readonly UsageCell[]): Reading[] {
  return [...new Set(hours.map(({ period }) => period))].flatMap((hour) => {
    const figures = sumOf(hours.filter(({ period }) => period === hour));
    return published.flatMap(([name, figure]): Reading[] => {
      const value = figures[figure] ?? 0;
      return value === 0 ? [] : [{ name, tenantId, unit: 'Count', at: new Date(beginningOf(hour)), values: [[value, 1]] }];
    });
  });
}
