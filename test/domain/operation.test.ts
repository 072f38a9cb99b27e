import { operationSteps } from '../../src/contracts/names';
import { Operation } from '../../src/contracts/operation';
import {
  advance,
  awaitsRetry,
  beginOperation,
  beginUndoing,
  conclude,
  estimatedFinish,
  isAnswerable,
  isSearchableState,
  refusalOf,
  searchableStateOf,
  stepTitles,
  toMarkdown,
} from '../../src/domain/operation';

const at = (second: number) => new Date(Date.UTC(2030, 0, 1, 0, 0, second)).toISOString();
const count = operationSteps.onboarding.length;
const fresh = beginOperation({ operationId: 'onboarding_acme_x', kind: 'onboarding', tenantId: 'acme', at: at(0) });
const reserved = advance(advance(fresh, { step: 'reserve', state: 'running', at: at(1) }), { step: 'reserve', state: 'completed', at: at(2) });
const refused = beginUndoing(advance(fresh, { step: 'reserve', state: 'failed', at: at(1), error: 'taken' }), { code: 'tenant/exists', message: 'taken' });

it('begins with every step pending', () => {
  expect(Operation.parse(fresh)).toEqual(fresh);
  expect(fresh.steps.map(({ name }) => name)).toEqual(operationSteps.onboarding);
  expect(fresh).toMatchObject({ state: 'running', percent: 0, startedAt: at(0) });
});

it('keeps when a step started and finished, and counts what is done', () => {
  expect(reserved.steps[0]).toEqual({ name: 'reserve', state: 'completed', startedAt: at(1), finishedAt: at(2), durationMs: 1_000 });
  expect(reserved.percent).toBe(Math.floor(100 / count));
});

it('is an operation the API can show, although the clock was set back while a step ran', () => {
  const done = advance(advance(fresh, { step: 'reserve', state: 'running', at: at(2) }), { step: 'reserve', state: 'completed', at: at(1) });
  expect(Operation.parse(done).steps[0]).toMatchObject({ durationMs: 0 });
});

it('shows an error only as long as it is true', () => {
  const failing = advance(fresh, { step: 'reserve', state: 'undoing', at: at(1), error: 'no route' });
  expect(failing.steps[0]).toEqual({ name: 'reserve', state: 'undoing', startedAt: at(1), error: 'no route' });
  expect(advance(failing, { step: 'reserve', state: 'undone', at: at(2) }).steps[0]).not.toHaveProperty('error');
});

it('skips what it never came to, and an operation taken back has done nothing', () => {
  const undone = conclude(beginUndoing(reserved, { code: 'infrastructure/failed', message: 'no' }), 'undone', at(9));
  expect(undone).toMatchObject({ state: 'undone', percent: 0, finishedAt: at(9), error: { code: 'infrastructure/failed' } });
  expect(undone.steps.map(({ state }) => state)).toEqual(['completed', ...Array<string>(count - 1).fill('skipped')]);
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

it('counts attempts; an undo has attempts and a clock of its own', () => {
  const third = advance(fresh, { step: 'reserve', state: 'running', at: at(1), attempt: 3, error: 'no route' });
  const done = advance(third, { step: 'reserve', state: 'completed', at: at(5) });
  expect(done.steps[0]).toEqual({ name: 'reserve', state: 'completed', attempt: 3, startedAt: at(1), finishedAt: at(5), durationMs: 4_000 });
  const undone = advance(advance(done, { step: 'reserve', state: 'undoing', at: at(8), attempt: 1 }), { step: 'reserve', state: 'undone', at: at(9) });
  expect(undone.steps[0]).toEqual({ name: 'reserve', state: 'undone', attempt: 1, startedAt: at(8), finishedAt: at(9), durationMs: 1_000 });
});

it('is stuck while a step rests, and has not finished that step', () => {
  const resting = advance(beginUndoing(reserved), { step: 'reserve', state: 'undo_failed', at: at(4), error: 'no' });
  expect(resting).toMatchObject({ stuck: true, state: 'undoing' });
  expect(resting.steps[0]).not.toHaveProperty('finishedAt');
  expect(advance(resting, { step: 'reserve', state: 'undoing', at: at(5) }).stuck).toBe(false);
});

it('can be told to try again only while a failed attempt waits for the next', () => {
  const failing = advance(reserved, { step: 'infrastructure', state: 'running', at: at(3), attempt: 2, error: 'throttled' });
  const failed = advance(reserved, { step: 'infrastructure', state: 'failed', at: at(3), error: 'no' });
  expect([reserved, failing, failed].map(awaitsRetry)).toEqual([false, true, false]);
});

it('is found by its state, and by being stuck', () => {
  const stuck = advance(reserved, { step: 'infrastructure', state: 'stuck', at: at(3), error: 'no' });
  expect([fresh, stuck].map(searchableStateOf)).toEqual(['running', 'running stuck']);
  expect(['undoing stuck', 'completed', 'stuck', 7].map(isSearchableState)).toEqual([true, true, false, false]);
});

it('changes its revision with every change', () => {
  const revisions = [fresh, reserved, beginUndoing(reserved), conclude(beginUndoing(reserved), 'cancelled', at(9))].map(({ revision }) => revision);
  expect(revisions).toEqual([0, 2, 3, 4]);
});

describe('the estimate', () => {
  const took = (seconds: number): Operation =>
    fresh.steps.reduce(
      (all, { name }, index) =>
        advance(advance(all, { step: name as 'reserve', state: 'running', at: at(index * seconds) }), { step: name as 'reserve', state: 'completed', at: at((index + 1) * seconds) }),
      fresh,
    );

  it('is what the steps left took lately, less what the running one has used', () => {
    const building = advance(reserved, { step: 'infrastructure', state: 'running', at: at(10) });
    // Medians of 4 s: three of them used, and the steps to come.
    expect(estimatedFinish(building, [took(1), took(4), took(9)], Date.parse(at(13)))).toBe(at(13 + 1 + 4 * (count - 2)));
    expect(estimatedFinish(building, [took(2)], Date.parse(at(30)))).toBe(at(30 + 2 * (count - 2)));
  });

  it('is not made from nothing, nor for what goes back or rests', () => {
    expect(estimatedFinish(reserved, [], 0)).toBeUndefined();
    expect(estimatedFinish(beginUndoing(reserved), [took(1)], 0)).toBeUndefined();
    expect(estimatedFinish(advance(reserved, { step: 'infrastructure', state: 'stuck', at: at(3) }), [took(1)], 0)).toBeUndefined();
  });
});

describe('for operators', () => {
  it('is a table of steps in words', () => {
    const lines = toMarkdown(reserved).split('\n');
    expect(lines[0]).toBe(`**onboarding of acme: running**, ${Math.floor(100 / count)} %`);
    expect(lines).toContain(`| 1 | Reserve the tenant id | ✓ done | 1.0 s | ${at(2).slice(11, 19)}Z |`);
    expect(lines.filter((line) => /^\| \d/.test(line))).toHaveLength(Object.keys(operationSteps.onboarding).length);
  });

  it('tells what is wrong before the table, in a line that others cannot break', () => {
    const lines = toMarkdown(advance(fresh, { step: 'reserve', state: 'failed', at: at(1), error: 'a | b\nc' })).split('\n');
    expect(lines[2]).toBe('✗ **Reserve the tenant id**: a \\| b c');
  });

  it('says what to do when it is stuck', () => {
    expect(toMarkdown(reserved)).not.toContain('retry');
    const stuck = toMarkdown(advance(beginUndoing(reserved), { step: 'reserve', state: 'undo_failed', at: at(4), error: 'no' }));
    expect(stuck).toMatch(/^\*\*onboarding of acme: undoing, stuck\*\*.*signal `retry`/s);
  });

  it('has a title for every step', () => {
    expect(Object.keys(stepTitles).sort()).toEqual([...new Set<string>(Object.values(operationSteps).flat())].sort());
  });
});
