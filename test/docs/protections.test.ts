import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
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
