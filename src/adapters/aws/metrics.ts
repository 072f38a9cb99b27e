import { type CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { metrics } from '../../contracts/names';
import type { Metrics } from '../../ports/metrics';

/** Metrics in CloudWatch: with the tenant as dimension, and without any, since an alarm adds up no dimensions. */
export const createMetrics = ({ cloudWatch }: { cloudWatch: CloudWatchClient }): Metrics => ({
  async count(MetricName, tenantId) {
    const datum = { MetricName, Value: 1, Unit: 'Count', Timestamp: new Date() } as const;
    const MetricData = [datum, { ...datum, Dimensions: [{ Name: metrics.dimension, Value: tenantId }] }];
    await cloudWatch.send(new PutMetricDataCommand({ Namespace: metrics.namespace, MetricData }));
  },
});
