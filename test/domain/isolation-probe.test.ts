import { findingsOf, judge, pairsOf, probesToMarkdown, summaryOf } from '../../src/domain/isolation-probe';
import type { ProbeResult } from '../../src/contracts/isolation';

const night = (day: number): string => new Date(Date.UTC(2026, 10, day, 7)).toISOString();

it('gives each of a thousand tenants one other a night, and all others in turn', () => {
  const ids = Array.from({ length: 1_000 }, (_, index) => `tenant-${index}`);
  const pairs = pairsOf(ids, night(1));
  expect(pairs.map(({ tenantId }) => tenantId).sort()).toEqual(ids.toSorted());
  expect(new Set(pairs.map(({ otherTenantId }) => otherTenantId)).size).toBe(1_000);
  expect(pairs.filter(({ tenantId, otherTenantId }) => tenantId === otherTenantId)).toEqual([]);

  const few = ['a', 'b', 'c', 'd'];
  const met = [1, 2, 3].flatMap((day) => pairsOf(few, night(day)).filter(({ tenantId }) => tenantId === 'b').map(({ otherTenantId }) => otherTenantId));
  expect(met.sort()).toEqual(['a', 'c', 'd']);
});

it('finds no pair among fewer than two', () => {
  expect(pairsOf([], night(1))).toEqual([]);
  expect(pairsOf(['a'], night(1))).toEqual([]);
  expect(pairsOf(['b', 'a'], night(1))).toEqual([
    { tenantId: 'a', otherTenantId: 'b' },
    { tenantId: 'b', otherTenantId: 'a' },
  ]);
});

it('takes a refusal for isolation only where the same opens at home', () => {
  expect(judge('refused', 'entered')).toEqual({ answer: 'refused' });
  expect(judge('refused')).toEqual({ answer: 'refused' });
  expect(judge('refused', 'refused')).toMatchObject({ answer: 'not_tried', why: expect.stringContaining('proves nothing') as string });
  expect(judge('refused', { unclear: 'a timeout' })).toMatchObject({ answer: 'not_tried', why: expect.stringContaining('a timeout') as string });
  expect(judge({ unclear: 'a timeout' }, 'entered')).toEqual({ answer: 'not_tried', why: 'a timeout' });
  for (const home of [undefined, 'entered', 'refused'] as const) expect(judge('entered', home)).toMatchObject({ answer: 'got_through' });
});

it('counts what could not be tried by itself, and makes a finding of each that got through', () => {
  const result: ProbeResult = {
    format: 'tenure-probe/1',
    tenantId: 'ann',
    otherTenantId: 'bob',
    probedAt: night(1),
    attempts: [
      { kind: 'table', what: 'role: Query', answer: 'got_through', why: 'It was let in.' },
      { kind: 'bucket', what: 'role: ListObjectsV2', answer: 'refused' },
      { kind: 'memory', what: 'role: ListMemoryRecords', answer: 'not_tried', why: 'an emulator' },
    ],
  };
  expect(summaryOf(result)).toEqual({ tenantId: 'ann', otherTenantId: 'bob', refused: 1, gotThrough: 1, notTried: 1 });
  expect(findingsOf(result)).toMatchObject([{ kind: 'isolation/breached', tenantId: 'ann', subject: 'table of bob', repair: 'none' }]);
  expect(findingsOf({ ...result, attempts: result.attempts.slice(1) })).toEqual([]);
  expect(findingsOf({ ...result, attempts: result.attempts.slice(2) })).toMatchObject([{ kind: 'isolation/untested', tenantId: 'ann' }]);
  expect(probesToMarkdown([summaryOf(result)])).toContain('1 attempts refused, **1 got through**, 1 could not be tried');
  expect(probesToMarkdown([])).toBe('');
});
