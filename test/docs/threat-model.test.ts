import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const read = (file: string) => readFileSync(path.resolve(file), 'utf8');

/** Rows of the tables whose last column is `test`. */
const rows = read('docs/threat-model.md')
  .split(/^## /m)
  .filter((section) => section.includes('| test |'))
  .flatMap((section) => section.split('\n').filter((line) => /^\| (?!threat|chapter)\w/.test(line)));
const threatOf = (row: string) => row.split('|')[1]?.trim() ?? '';
const testsOf = (row: string) => [...(row.split('|').at(-2) ?? '').matchAll(/`([^`]+)`/g)].map(([, file = '']) => file);

it('tells of every threat of both lists', () => {
  for (let number = 1; number <= 10; number += 1) {
    expect(rows.filter((row) => threatOf(row).startsWith(`API${number} `))).toHaveLength(1);
    expect(rows.filter((row) => threatOf(row).startsWith(`LLM${String(number).padStart(2, '0')} `))).toHaveLength(1);
  }
});

it.each(rows.map((row) => [threatOf(row), row]))('links %s to tests there are', (_threat, row) => {
  const tests = testsOf(row);
  expect(tests.length).toBeGreaterThan(0);
  for (const file of tests) {
    expect(file).toMatch(/^test\/.*\.test\.ts$/);
    expect([file, existsSync(path.resolve(file))]).toEqual([file, true]);
  }
});
