import fc from 'fast-check';
import { roundedLatencyMs, TrafficTally } from '../../src/domain/traffic';

it('adds up by tenant, and tells only what happened', () => {
  const tally = new TrafficTally();
  for (const status of [200, 404, 429, 503, 500]) tally.add({ tenantId: 'acme', status, latencyMs: 1 });
  tally.add({ tenantId: 'globex', status: 200 });
  expect(tally.take()).toEqual([
    { tenantId: 'acme', name: 'RequestCount', unit: 'Count', values: [[5, 1]] },
    { tenantId: 'acme', name: 'ErrorCount', unit: 'Count', values: [[2, 1]] },
    { tenantId: 'acme', name: 'ThrottleCount', unit: 'Count', values: [[1, 1]] },
    { tenantId: 'acme', name: 'RequestLatency', unit: 'Milliseconds', values: [[1, 5]] },
    { tenantId: 'globex', name: 'RequestCount', unit: 'Count', values: [[1, 1]] },
  ]);
  expect(tally.take()).toEqual([]);
});

it('rounds a latency to within 5 %', () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 1_400_000, noNaN: true }), (latencyMs) => {
      expect(Math.abs(roundedLatencyMs(latencyMs) / latencyMs - 1)).toBeLessThan(0.055);
    }),
  );
  expect([0, 0.2, 1].map(roundedLatencyMs)).toEqual([1, 1, 1]);
});

it("keeps no more different latencies than CloudWatch takes, whatever comes", () => {
  const tally = new TrafficTally();
  for (let latencyMs = 0.01; latencyMs < 1e9; latencyMs *= 1.01) tally.add({ tenantId: 'acme', status: 200, latencyMs });
  const values = tally.take().find(({ name }) => name === 'RequestLatency')?.values ?? [];
  expect(values).toHaveLength(150);
  expect(new Set(values.map(([value]) => value)).size).toBe(150);
});
