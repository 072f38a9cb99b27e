import { type CloudWatchClient, type MetricDatum, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { metrics } from '../../contracts/names';
import type { Metrics, Reading } from '../../ports/metrics';

/** What one call takes, less some room for the call itself. */
const callLimits = { metrics: 1_000, bytes: 1_000_000 };

const ofTenant = (tenantId: string) => [{ Name: metrics.dimension, Value: tenantId }];

/** Metrics in CloudWatch, by tenant; counts also without any dimension, since an alarm adds up no dimensions. */
export function createMetrics({ cloudWatch }: { cloudWatch: CloudWatchClient }): Metrics {
  const put = (MetricData: MetricDatum[], abortSignal?: AbortSignal) =>
    cloudWatch.send(new PutMetricDataCommand({ Namespace: metrics.namespace, MetricData }), { ...(abortSignal && { abortSignal }) });

  return {
    async count(MetricName, tenantId) {
      const datum = { MetricName, Value: 1, Unit: 'Count', Timestamp: new Date() } as const;
      await put([datum, { ...datum, Dimensions: ofTenant(tenantId) }]);
    },

    async publish(readings, signal) {
      const batch = firstBatch(readings);
      await put(batch, signal);
      return batch.length;
    },
  };
}

/** As many of the first as one call takes; a single one always fits. */
function firstBatch(readings: readonly Reading[]): MetricDatum[] {
  const batch: MetricDatum[] = [];
  let bytes = 0;
  for (const reading of readings.slice(0, callLimits.metrics)) {
    const datum = datumOf(reading);
    bytes += JSON.stringify(datum).length + 1;
    if (bytes > callLimits.bytes) break;
    batch.push(datum);
  }
  return batch;
}

const datumOf = ({ name, tenantId, unit, at, values }: Reading): MetricDatum => ({
  MetricName: name,
  Dimensions: ofTenant(tenantId),
  Unit: unit,
  Timestamp: at,
  Values: values.map(([value]) => value),
  Counts: values.map(([, times]) => times),
});
