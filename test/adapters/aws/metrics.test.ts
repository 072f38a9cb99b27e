import { DescribeAlarmsCommand, GetMetricStatisticsCommand, ListMetricsCommand, type Statistic } from '@aws-sdk/client-cloudwatch';
import { createMetrics } from '../../../src/adapters/aws/metrics';
import { metrics, platformResources } from '../../../src/contracts/names';
import type { Reading } from '../../../src/ports/metrics';
import { aws, newTenantId, standingPlatform } from './tenants';

const alarmState = async () => (await aws.cloudWatch.send(new DescribeAlarmsCommand({ AlarmNames: [platformResources.stuckAlarm] }))).MetricAlarms?.[0]?.StateValue;
/** @returns of the last minutes. */
async function statistics(MetricName: string, tenantId: string) {
  const range = { StartTime: new Date(Date.now() - 600_000), EndTime: new Date(Date.now() + 60_000), Period: 3_600 };
  const Dimensions = [{ Name: metrics.dimension, Value: tenantId }];
  const Statistics: Statistic[] = ['SampleCount', 'Sum', 'Minimum', 'Maximum'];
  const { Datapoints = [] } = await aws.cloudWatch.send(new GetMetricStatisticsCommand({ Namespace: metrics.namespace, MetricName, ...range, Dimensions, Statistics }));
  return Datapoints;
}

const metric = { Namespace: metrics.namespace, MetricName: metrics.stuckOperations };

async function countOf(tenantId: string): Promise<number> {
  const range = { StartTime: new Date(Date.now() - 600_000), EndTime: new Date(Date.now() + 60_000), Period: 60 };
  const Dimensions = [{ Name: metrics.dimension, Value: tenantId }];
  const { Datapoints = [] } = await aws.cloudWatch.send(new GetMetricStatisticsCommand({ ...metric, ...range, Dimensions, Statistics: ['Sum'] }));
  return Datapoints.reduce((sum, { Sum = 0 }) => sum + Sum, 0);
}

/** The emulator's sums ignore dimensions that are not asked for, where AWS keeps them apart: its list tells. */
const series = async () => ((await aws.cloudWatch.send(new ListMetricsCommand(metric))).Metrics ?? []).map(({ Dimensions = [] }) => Dimensions.map(({ Value }) => Value));

it('counts for the tenant and for all of them, and rings the alarm of the platform', async () => {
  await standingPlatform();
  const [stuck, other] = [newTenantId(), newTenantId()];
  if ((await series()).length === 0) expect(await alarmState()).not.toBe('ALARM');
  await createMetrics(aws).count(metrics.stuckOperations, stuck);
  expect([await countOf(stuck), await countOf(other)]).toEqual([1, 0]);
  expect(await series()).toEqual(expect.arrayContaining([[], [stuck]]));
  expect(await alarmState()).toBe('ALARM');
});

const reading = (tenantId: string, values: Reading['values']): Reading => ({ tenantId, name: metrics.latency, unit: 'Milliseconds', at: new Date(), values });

it('publishes values as often as they were measured, of that tenant alone', async () => {
  const [tenantId, other] = [newTenantId(), newTenantId()];
  const readings = [reading(tenantId, [[1, 2], [10, 3]]), reading(other, [[5, 1]])];
  expect(await createMetrics(aws).publish(readings)).toBe(2);
  expect(await statistics(metrics.latency, tenantId)).toMatchObject([{ SampleCount: 5, Sum: 32, Minimum: 1, Maximum: 10 }]);
  expect(await statistics(metrics.latency, other)).toMatchObject([{ SampleCount: 1, Sum: 5 }]);
});

it('takes a thousand at once, and fewer when they are large', async () => {
  const prefix = newTenantId();
  const many = Array.from({ length: 1_001 }, (_, index) => reading(`${prefix}-${index}`, [[1, 1]]));
  const metricsOfAws = createMetrics(aws);
  expect(await metricsOfAws.publish(many)).toBe(1_000);
  expect(await metricsOfAws.publish(many.slice(1_000))).toBe(1);
  expect(await statistics(metrics.latency, `${prefix}-1000`)).toHaveLength(1);
  const large = many.map(({ tenantId }) => reading(tenantId, Array.from({ length: 150 }, (_, index) => [123_456 + index, 10_000 + index] as const)));
  const taken = await metricsOfAws.publish(large);
  expect(taken).toBeGreaterThan(300);
  expect(taken).toBeLessThan(700);
});
