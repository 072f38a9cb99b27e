import type { Paint } from './paint';

export interface Column<Row> {
  readonly title: string;
  readonly of: (row: Row) => string | number | undefined;
}

const gap = '  ';

/** Rows under their titles, aligned. Free text belongs in the last column: its width does not matter there. */
export function tableOf<Row>(rows: readonly Row[], columns: readonly Column<Row>[], paint: Paint): string {
  const cells = rows.map((row) => columns.map((column) => printable(String(column.of(row) ?? '-'))));
  const widths = columns.map(({ title }, index) => Math.max(title.length, ...cells.map((line) => line[index]?.length ?? 0)));
  const lineOf = (line: readonly string[]) => line.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(gap).trimEnd();
  return [paint('bold', lineOf(columns.map(({ title }) => title.toUpperCase()))), ...cells.map(lineOf)].join('\n');
}

/** Facts about one thing, a line each; what is not there is left out. */
export function factsOf(facts: Readonly<Record<string, string | number | undefined>>, paint: Paint): string {
  const shown = Object.entries(facts).filter(([, value]) => value !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${paint('dim', name.padEnd(width))}${gap}${printable(String(value))}`).join('\n');
}

/** What others wrote must not steer this terminal. */
export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ');

const units = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** `1.3 s`, `2 min 5 s`, `7 d`: the two largest units. */
export function durationOf(ms: number): string {
  if (ms < 60_000) return `${(Math.max(0, ms) / 1_000).toFixed(1)} s`;
  let seconds = Math.round(ms / 1_000);
  const parts: string[] = [];
  for (const [unit, size] of units) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.slice(0, 2).join(' ');
}

const sizes = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export function sizeOf(bytes: number): string {
  const power = Math.min(sizes.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${(bytes / 1_024 ** power).toFixed(power === 0 ? 0 : 1)} ${sizes[power] ?? 'B'}`;
}

/** Camel-case names as words: `backupVerification` is a `backup verification`. */
export const wordsOf = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

/** To the second, without the T: for tables. */
export const timeOf = (iso: string | undefined): string | undefined => iso?.replace('T', ' ').replace(/(\.\d+)?Z$/, '');
