import { operationSteps } from '../../src/contracts/names';
import { Operation } from '../../src/contracts/operation';
import { advance, beginOperation, beginUndoing, conclude, isAnswerable, refusalOf, stepTitles, toMarkdown } from '../../src/domain/operation';

const at = (second: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, second)).toISOString();
const fresh = beginOperation({ operationId: 'onboarding_acme_x', kind: 'onboarding', tenantId: 'acme', at: at(0) });
const reserved = advance(advance(fresh, { step: 'reserve', state: 'running', at: at(1) }), { step: 'reserve', state: 'completed', at: at(2) });
const refused = beginUndoing(advance(fresh, { step: 'reserve', state: 'failed', at: at(1), error: 'taken' }), { code: 'tenant/exists', message: 'taken' });

it('begins with every step pending', () => {
  expect(Operation.parse(fresh)).toEqual(fresh);
  expect(fresh.steps.map(({ name }) => name)).toEqual(operationSteps.onboarding);
  expect(fresh).toMatchObject({ state: 'running', percent: 0, startedAt: at(0) });
});

it('keeps when a step started and finished, and counts what is done', () => {
  expect(reserved.steps[0]).toEqual({ name: 'reserve', state: 'completed', startedAt: at(1), finishedAt: at(2) });
  expect(reserved.percent).toBe(12);
});

it('shows an error only as long as it is true', () => {
  const failing = advance(fresh, { step: 'reserve', state: 'undoing', at: at(1), error: 'no route' });
  expect(failing.steps[0]).toEqual({ name: 'reserve', state: 'undoing', startedAt: at(1), error: 'no route' });
  expect(advance(failing, { step: 'reserve', state: 'undone', at: at(2) }).steps[0]).not.toHaveProperty('error');
});

it('skips what it never came to, and an operation taken back has done nothing', () => {
  const undone = conclude(beginUndoing(reserved, { code: 'infrastructure/failed', message: 'no' }), 'undone', at(9));
  expect(undone).toMatchObject({ state: 'undone', percent: 0, finishedAt: at(9), error: { code: 'infrastructure/failed' } });
  expect(undone.steps.map(({ state }) => state)).toEqual(['completed', ...Array<string>(7).fill('skipped')]);
  expect(conclude(reserved, 'completed', at(9)).percent).toBe(100);
});

it('can answer the caller once the first step stands or the operation is taken back', () => {
  expect([fresh, reserved, refused].map(isAnswerable)).toEqual([false, true, true]);
});

it('was refused only when its first step was', () => {
  expect(refusalOf(refused)).toEqual({ code: 'tenant/exists', message: 'taken' });
  expect(refusalOf(conclude(refused, 'undone', at(3)))).toEqual({ code: 'tenant/exists', message: 'taken' });
  const later = advance(reserved, { step: 'infrastructure', state: 'failed', at: at(3) });
  expect(refusalOf(beginUndoing(later, { code: 'infrastructure/failed', message: 'no' }))).toBeUndefined();
});

describe('for operators', () => {
  it('is a table of steps in words', () => {
    const lines = toMarkdown(reserved).split('\n');
    expect(lines[0]).toBe('**onboarding of acme: running**, 12 %');
    expect(lines).toContain(`| 1 | Reserve the tenant id | ✓ done | ${at(2)} |  |`);
    expect(lines.filter((line) => /^\| \d/.test(line))).toHaveLength(Object.keys(operationSteps.onboarding).length);
  });

  it('keeps an error within its cell', () => {
    const table = toMarkdown(advance(fresh, { step: 'reserve', state: 'failed', at: at(1), error: 'a | b\nc' }));
    expect(table).toContain('| a \\| b c |');
  });

  it('says what to do when it is stuck', () => {
    expect(toMarkdown(reserved)).not.toContain('retry');
    expect(toMarkdown(advance(beginUndoing(reserved), { step: 'reserve', state: 'undo_failed', at: at(4), error: 'no' }))).toContain('signal `retry`');
  });

  it('has a title for every step', () => {
    expect(Object.keys(stepTitles).sort()).toEqual([...operationSteps.onboarding, ...operationSteps.offboarding].sort());
  });
});
