import { metrics } from '../contracts/names';

/** A request of a tenant's user that is over. */
export interface AnsweredRequest {
  readonly tenantId: string;
  readonly status: number;
  /** Until the answer was sent, or began to be streamed. Undefined when the caller had gone before. */
  readonly latencyMs?: number;
}

/** Sums of one tenant: metrics of contracts/names, each with the values that were measured and how often. */
export interface TrafficFigure {
  readonly tenantId: string;
  readonly name: string;
  readonly unit: 'Count' | 'Milliseconds';
  readonly values: readonly (readonly [value: number, times: number])[];
}

/** Each rung is a tenth above the one before: CloudWatch takes 150 different values, and these reach from 1 ms to 24 minutes. */
const rung = 1.1;
const highestRung = 149;

/** To within 5 %, so that percentiles are right and a tenant's latencies take little room. */
export function roundedLatencyMs(latencyMs: number): number {
  const nearest = Math.round(Math.log(Math.max(latencyMs, 1)) / Math.log(rung));
  return Number((rung ** Math.min(nearest, highestRung)).toPrecision(3));
}

interface TenantTraffic {
  requests: number;
  errors: number;
  throttles: number;
  readonly latencies: Map<number, number>;
}

/** Adds up requests until they are taken. A tenant takes a few kilobytes at most, however many requests it sends. */
export class TrafficTally {
  private tenants = new Map<string, TenantTraffic>();

  add({ tenantId, status, latencyMs }: AnsweredRequest): void {
    const traffic = this.tenants.get(tenantId) ?? { requests: 0, errors: 0, throttles: 0, latencies: new Map<number, number>() };
    this.tenants.set(tenantId, traffic);
    traffic.requests += 1;
    if (status >= 500) traffic.errors += 1;
    if (status === 429) traffic.throttles += 1;
    if (latencyMs === undefined) return;
    const rounded = roundedLatencyMs(latencyMs);
    traffic.latencies.set(rounded, (traffic.latencies.get(rounded) ?? 0) + 1);
  }

  /** What was added since the last time. What did not happen has no figure: each costs money, and alarms do without. */
  take(): TrafficFigure[] {
    const taken = this.tenants;
    this.tenants = new Map();
    return [...taken].flatMap(([tenantId, traffic]) => figuresOf(tenantId, traffic));
  }
}

function figuresOf(tenantId: string, { requests, errors, throttles, latencies }: TenantTraffic): TrafficFigure[] {
  const counts = [
    [metrics.requests, requests],
    [metrics.errors, errors],
    [metrics.throttles, throttles],
  ] as const;
  return [
    ...counts.flatMap(([name, count]) => (count > 0 ? [{ tenantId, name, unit: 'Count' as const, values: [[count, 1] as const] }] : [])),
    ...(latencies.size > 0 ? [{ tenantId, name: metrics.latency, unit: 'Milliseconds' as const, values: [...latencies] }] : []),
  ];
}
