import { DescribeAlarmsCommand, GetMetricStatisticsCommand, ListMetricsCommand } from '@aws-sdk/client-cloudwatch';
import { createMetrics } from '../../../src/adapters/aws/metrics';
import { metrics, platformResources } from '../../../src/contracts/names';
import { aws, newTenantId, standingPlatform } from './tenants';

const alarmState = async () => (await aws.cloudWatch.send(new DescribeAlarmsCommand({ AlarmNames: [platformResources.stuckAlarm] }))).MetricAlarms?.[0]?.StateValue;
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
