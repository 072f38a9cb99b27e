import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { foundIn, markOf, toMarkdown } from '../../campaign/protections/found';
import { protections } from '../../campaign/protections/list';
import { without } from '../../campaign/protections/protection';
import { verdictOn } from '../../campaign/protections-run';

const read = (file: string) => readFileSync(path.resolve(file), 'utf8');

/** First columns of the tables whose heads are `protection` and a test. */
const rows = [...read('docs/security.md').matchAll(/^\| protection \| test.*\n\|-.*\n((?:\|.*\n)+)/gm)].flatMap(([, table = '']) => table.trim().split('\n').map((row) => row.split('|')[1]?.trim() ?? ''));

it('takes out every protection that docs/security.md lists, and none it does not', () => {
  expect(rows.length).toBeGreaterThan(60);
  expect([...new Set(protections.map(({ row }) => row))].sort()).toEqual(rows.toSorted());
  expect(new Set(protections.map(({ id }) => id)).size).toBe(protections.length);
});

it.each(protections.map((one) => [one.id, one] as const))('knows where %s is, and its test', (_id, protection) => {
  expect(without(protection, read(protection.file))).not.toBe(read(protection.file));
  expect(existsSync(path.resolve(protection.test))).toBe(true);
});

it('believes a test only that fails for want of the protection', () => {
  const report = (...failureMessages: string[]) => ({
    numFailedTests: failureMessages.length,
    testResults: [{ message: failureMessages.join(''), assertionResults: failureMessages.map((message) => ({ fullName: 'it', status: 'failed', failureMessages: [message] })) }],
  });
  expect(verdictOn({}, report('expect(received).toBe(expected)')).isCaught).toBe(true);
  expect(verdictOn({}, report('TypeError: x is not a function')).isCaught).toBe(false);
  expect(verdictOn({ says: /timeout/ }, report('Exceeded timeout')).isCaught).toBe(true);
  expect(verdictOn({}, report())).toEqual({ isCaught: false, says: 'The test passes without it.' });
});

describe('what was found', () => {
  const [one, other] = protections.slice(0, 2) as [(typeof protections)[number], (typeof protections)[number]];
  const found = (isCaught: boolean, says = '') => ({ id: one.id, isCaught, on: '2026-11-25', mark: markOf(one), says });

  it('stands in docs/security.md beside the entries as they are (`npm run campaign:protections -- --mark` brings it in line)', () => {
    const section = /<!-- protections -->([^]*)<!-- \/protections -->/.exec(read('docs/security.md'))?.[1] ?? '';
    expect(section.trim()).toBe(toMarkdown(foundIn(section), protections).trim());
  });

  it('is read as it was written, and a run of one entry leaves that of the others', () => {
    const written = toMarkdown([found(false, 'The test passes without it.'), { id: other.id, isCaught: true, on: '2026-11-26', mark: markOf(other), says: '' }], [one, other]);
    expect(foundIn(written)).toEqual([found(false, 'The test passes without it.'), { id: other.id, isCaught: true, on: '2026-11-26', mark: markOf(other), says: '' }]);
    const again = toMarkdown([...foundIn(written), found(true)], [one, other]);
    expect(again).toContain(`| \`${one.id}\` | \`${one.file}\` | noticed 2026-11-25 |`);
    expect(again).toContain(`| \`${other.id}\` | \`${other.file}\` | noticed 2026-11-26 |`);
  });

  it.each([
    ['patch', { replace: `${one.replace} ` }],
    ['test', { name: `${one.name} once more` }],
    ['reason', { says: /another/ }],
  ])('is of the entry as it was: with another %s it is to be taken out again', (_what, change) => {
    const changed = [{ ...one, ...change }];
    const once = toMarkdown([found(true)], changed);
    expect(once).toContain('noticed 2026-11-25; changed since, to be taken out again');
    expect(once).toContain('): 1 changed since, to be taken out again.');
    expect(toMarkdown(foundIn(once), changed)).toBe(once);
  });

  it('keeps no words that would break its table', () => {
    const written = toMarkdown([found(false, 'expect(`a|b`).toBe(<b>)\nand more')], [one]);
    expect(foundIn(written)).toEqual([found(false, 'expect( a b ).toBe( b )')]);
  });
});
