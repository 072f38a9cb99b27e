import { renderOperation } from '../../src/cli/progress/render';
import { awayOf, type Column, factsOf, minuteOf, shortArn, tableOf, timeOf } from '../../src/cli/terminal/table';
import { advance, beginOperation, beginUndoing, conclude } from '../../src/domain/operation';

const paint = (_style: string, text: string) => text;
const widthOf = (text: string): number => Math.max(...text.split('\n').map((line) => line.length));

describe('a table', () => {
  const columns: readonly Column<readonly string[]>[] = [
    { title: 'id', of: ([id]) => id },
    { title: 'took', of: ([, took]) => took, spare: true },
    { title: 'words', of: ([, , words]) => words },
  ];
  const rows = [['onboarding_acme', '1.0 s', 'It was paused because the buckets move tonight']];

  it('has all columns where there is room', () => {
    expect(tableOf(rows, columns, paint)).toBe('ID               TOOK   WORDS\nonboarding_acme  1.0 s  It was paused because the buckets move tonight');
  });

  it('first goes without what it can do without', () => {
    expect(tableOf(rows, columns, paint, 65)).toBe('ID               WORDS\nonboarding_acme  It was paused because the buckets move tonight');
  });

  it('then breaks the words of the last column below each other', () => {
    const narrow = tableOf(rows, columns, paint, 45);
    expect(narrow.split('\n').slice(1)).toEqual(['onboarding_acme  It was paused because the', `${' '.repeat(17)}buckets move tonight`]);
    expect(widthOf(narrow)).toBeLessThanOrEqual(45);
  });

  it('never cuts an id', () => {
    const id = 'rehearsal_scratch-eceae248b18b19bf022b_963a82eceae248b18b19bf022b';
    expect(tableOf([[id, '', 'two words']], columns, paint, 20)).toContain(id);
  });
});

it('facts keep long texts beside their names', () => {
  const text = factsOf({ model: 'a', systemPrompt: 'You are a helpful assistant. Use the tools you are given.' }, paint, 50);
  expect(text).toBe(`model         a\nsystemPrompt  You are a helpful assistant. Use the\n${' '.repeat(14)}tools you are given.`);
});

it('times say that they are UTC, and how far they are', () => {
  const iso = '2026-11-24T08:00:01.234Z';
  const nowMs = Date.parse('2026-11-24T08:02:00Z');
  expect([timeOf(iso), minuteOf(iso), minuteOf('no time')]).toEqual(['2026-11-24 08:00:01Z', '2026-11-24 08:00Z', 'no time']);
  expect([awayOf(iso, nowMs), awayOf('2026-11-24T11:02:00Z', nowMs), awayOf(undefined)]).toEqual(['1 min ago', 'in 3 h', undefined]);
});

it('an ARN is told by its end', () => {
  expect([shortArn('arn:aws:kms:us-east-1:000000000000:key/45ac33b0'), shortArn('tenant-acme-data')]).toEqual(['key/45ac33b0', 'tenant-acme-data']);
});

describe('an operation on a terminal of 100 columns', () => {
  const at = '2026-11-24T08:00:00.000Z';
  const fresh = beginOperation({ operationId: 'onboarding_acme_1', kind: 'onboarding', tenantId: 'acme', at });
  const look = { paint, nowMs: Date.parse(at), columns: 100, rows: 40 };
  const error = `Stack [arn:aws:cloudformation:us-east-1:000000000000:stack/tenant-acme-infrastructure/8f49406a-1b19-496a-bbb3] cannot be deleted while TerminationProtection is enabled`;

  it('tells the whole of an error, however long', () => {
    const stuck = advance(beginUndoing(fresh), { step: 'infrastructure', state: 'undo_failed', at, attempt: 10, error });
    const lines = renderOperation(stuck, look);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(lines.join(' ')).toContain('TerminationProtection is enabled');
    expect(lines.at(-1)).toBe('  tenure operation retry onboarding_acme_1');
  });

  it('tells no time of what was skipped', () => {
    const skipped = renderOperation(advance(fresh, { step: 'gateway', state: 'skipped', at }), look).find((line) => line.includes('gateway'));
    expect(skipped).toMatch(/^ {2}– Create the AgentCore gateway +skipped$/);
  });

  it('ends an offboarding with where its proof is', () => {
    const left = conclude(beginOperation({ operationId: 'offboarding_acme_1', kind: 'offboarding', tenantId: 'acme', at }), 'completed', at);
    expect(renderOperation(left, look).at(-1)).toBe('  tenure tenant certificate acme');
  });
});
