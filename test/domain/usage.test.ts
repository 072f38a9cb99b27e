import type { SessionEvent } from '../../src/contracts/events';
import { csvOf } from '../../src/cli/commands/tenant-usage';
import { usageReadings } from '../../src/activities/maintenance/usage-readings';
import { countable, groupUsage, periodFor, usageIn } from '../../src/domain/usage';

const used = (at: string, modelId: string, tokens: number, seq = 1): SessionEvent => ({ seq, at, type: 'usage.recorded', turnId: 't', step: 1, modelId, usage: { inputTokens: tokens, outputTokens: 1 }, costMicroUsd: 0 });
const said: SessionEvent = { seq: 1, at: '2026-11-24T13:00:00.000Z', type: 'message.completed', turnId: 't', step: 1, text: 'hi', stopReason: 'end_turn' };

const events = [used('2026-11-24T13:59:59.999Z', 'large', 1), said, used('2026-11-24T14:00:00.000Z', 'large', 2), used('2026-11-25T00:00:00.000Z', 'small', 4)];

it('adds up by hour or day, and model; other events cost nothing', () => {
  const cell = { userId: 'ann', modelId: 'large', outputTokens: 1, modelCalls: 1 };
  expect(usageIn(events, 'ann', 'hour')).toEqual([
    { ...cell, period: '2026-11-24T13', inputTokens: 1 },
    { ...cell, period: '2026-11-24T14', inputTokens: 2 },
    { ...cell, period: '2026-11-25T00', inputTokens: 4, modelId: 'small' },
  ]);
  expect(usageIn(events, 'ann', 'day').map(({ period, inputTokens }) => [period, inputTokens])).toEqual([
    ['2026-11-24', 3],
    ['2026-11-25', 4],
  ]);
});

it('cuts events where they would make more cells than one write takes', () => {
  expect(countable(events, 3)).toEqual(events);
  expect(countable(events, 2)).toEqual(events.slice(0, 3));
  expect(countable(events, 1)).toEqual(events.slice(0, 2));
  expect(countable([], 1)).toEqual([]);
  const sameHour = Array.from({ length: 200 }, () => used('2026-11-24T13:00:00.000Z', 'large', 1));
  expect(countable(sameHour, 1)).toHaveLength(200);
});

it('counts dollars, models without a price, and attempts that came to nothing apart', () => {
  const at = '2026-11-24T13:00:00.000Z';
  const step = { turnId: 't', step: 1, modelId: 'large', usage: { inputTokens: 10, outputTokens: 2 } };
  const all: SessionEvent[] = [
    { seq: 1, at, type: 'usage.recorded', ...step, costMicroUsd: 70 },
    { seq: 2, at, type: 'usage.recorded', ...step, usage: { ...step.usage, cacheReadTokens: 5 } },
    { seq: 3, at, type: 'usage.wasted', ...step, costMicroUsd: 7 },
    { seq: 4, at, type: 'usage.recorded', ...step, agent: 'clerk', costMicroUsd: 1 },
  ];
  const figures = { inputTokens: 20, outputTokens: 4, modelCalls: 2, cacheReadTokens: 5, costMicroUsd: 70, unpricedCalls: 1, wastedCalls: 1, wastedTokens: 12, wastedMicroUsd: 7 };
  expect(groupUsage(usageIn(all, 'ann', 'hour'), ['agent'])).toEqual([{ agent: 'clerk', inputTokens: 10, outputTokens: 2, modelCalls: 1, costMicroUsd: 1 }, { agent: 'default', ...figures }]);
  const readings = usageReadings('acme', usageIn(all, 'ann', 'hour'));
  expect(readings.map(({ name, values }) => [name, values[0]?.[0]])).toEqual([['InputTokens', 30], ['OutputTokens', 6], ['ModelCallCount', 3], ['ModelCostMicroUsd', 71], ['WastedTokens', 12]]);
  expect(readings[0]).toMatchObject({ tenantId: 'acme', at: new Date(at) });
  expect(csvOf([{ modelId: 'a,"b"', inputTokens: 1, outputTokens: 2, modelCalls: 1 }]).split('\r\n')[1]).toBe(',"a,""b""",,,1,2,1,0,0,0,0,0,0,0,0,0,0,0,0,0');
});

it('counts what went into summaries, and shows how much that was', () => {
  const summarised: SessionEvent = { seq: 1, at: '2026-11-24T13:00:00.000Z', type: 'usage.recorded', turnId: 't', step: 1, modelId: 'large', usage: { inputTokens: 10, outputTokens: 2 }, costMicroUsd: 7, purpose: 'compaction' };
  expect(groupUsage(usageIn([summarised, used('2026-11-24T13:00:00.000Z', 'large', 1)], 'ann', 'hour'), [])).toMatchObject([{ inputTokens: 11, modelCalls: 2, costMicroUsd: 7, compactionCalls: 1, compactionTokens: 12, compactionMicroUsd: 7 }]);
});

it('counts what went into facts, and shows how much that was', () => {
  const extracted: SessionEvent = { seq: 1, at: '2026-11-24T13:00:00.000Z', type: 'usage.recorded', turnId: 't', step: 1, modelId: 'large', usage: { inputTokens: 10, outputTokens: 2 }, costMicroUsd: 7, purpose: 'extraction' };
  expect(usageIn([extracted], 'ann', 'hour')).toMatchObject([{ inputTokens: 10, modelCalls: 1, costMicroUsd: 7, extractionCalls: 1, extractionTokens: 12, extractionMicroUsd: 7 }]);
});

describe('a report', () => {
  const cells = [...usageIn(events, 'ann', 'hour'), ...usageIn(events, 'bob', 'hour')];

  it.each([
    [['hour'], ['2026-11-24T13:00:00.000Z', '2026-11-24T14:00:00.000Z', '2026-11-25T00:00:00.000Z'], [2, 4, 8]],
    [['day'], ['2026-11-24T00:00:00.000Z', '2026-11-25T00:00:00.000Z'], [6, 8]],
  ] as const)('by %p', (by, times, tokens) => {
    const lines = groupUsage(cells, by);
    expect(lines.map(({ from }) => from)).toEqual(times);
    expect(lines.map(({ inputTokens }) => inputTokens)).toEqual(tokens);
  });

  it('by model and user, over all times', () => {
    expect(groupUsage(cells, ['model', 'user'])).toEqual([
      { modelId: 'large', userId: 'ann', inputTokens: 3, outputTokens: 2, modelCalls: 2 },
      { modelId: 'large', userId: 'bob', inputTokens: 3, outputTokens: 2, modelCalls: 2 },
      { modelId: 'small', userId: 'ann', inputTokens: 4, outputTokens: 1, modelCalls: 1 },
      { modelId: 'small', userId: 'bob', inputTokens: 4, outputTokens: 1, modelCalls: 1 },
    ]);
  });
});

it('is answered by days only when the question is about whole days', () => {
  expect(periodFor(['day'], '2026-11-24T00:00:00.000Z', '2026-11-25T00:00:00.000Z')).toBe('day');
  expect(periodFor(['day'], '2026-11-24T01:00:00.000Z', '2026-11-25T00:00:00.000Z')).toBe('hour');
  expect(periodFor(['hour'], '2026-11-24T00:00:00.000Z', '2026-11-25T00:00:00.000Z')).toBe('hour');
});
