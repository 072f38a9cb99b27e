import type { Paint } from './paint';

export interface Column<Row> {
  readonly title: string;
  readonly of: (row: Row) => string | number | undefined;
  /** Left out where the table would be too wide. */
  readonly spare?: true;
}

const gap = '  ';
/** Words are not put into less than this. */
const narrowest = 20;

/**
 * Rows under their titles, aligned. Where they are wider than there is room, spare columns give way, the last one first, then the last
 * column is put on several lines: free text belongs there. Ids and names are never cut.
 */
export function tableOf<Row>(rows: readonly Row[], columns: readonly Column<Row>[], paint: Paint, room = Infinity): string {
  const cells = rows.map((row) => columns.map((column) => printable(String(column.of(row) ?? '-'))));
  const widths = columns.map(({ title }, index) => Math.max(title.length, ...cells.map((line) => line[index]?.length ?? 0)));
  const spare = columns.findLastIndex((column) => column.spare);
  if (spare !== -1 && sumOf(widths) > room) return tableOf(rows, columns.toSpliced(spare, 1), paint, room);
  const lastRoom = room - sumOf([...widths.slice(0, -1), 0]);
  const lineOf = (line: readonly string[]) => line.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(gap).trimEnd();
  const linesOf = (line: readonly string[]) => {
    const [first = '', ...more] = wrapped(line.at(-1) ?? '', lastRoom);
    return [[...line.slice(0, -1), first], ...more.map((text) => [...line.slice(0, -1).map(() => ''), text])].map(lineOf);
  };
  return [paint('bold', lineOf(columns.map(({ title }) => title.toUpperCase()))), ...cells.flatMap(linesOf)].join('\n');
}

const sumOf = (widths: readonly number[]): number => widths.reduce((sum, width) => sum + width + gap.length, -gap.length);

/** Facts about one thing, a line each; what is not there is left out, and long texts are put on several lines. */
export function factsOf(facts: Readonly<Record<string, string | number | undefined>>, paint: Paint, room = Infinity): string {
  const shown = Object.entries(facts).filter(([, value]) => value !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length));
  const below = `\n${' '.repeat(width)}${gap}`;
  return shown.map(([name, value]) => `${paint('dim', name.padEnd(width))}${gap}${wrapped(printable(String(value)), room - width - gap.length).join(below)}`).join('\n');
}

/** Breaks a text between words; a word that is longer than a line stays whole. */
export function wrapped(text: string, room: number): string[] {
  if (text.length <= Math.max(narrowest, room)) return [text];
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const begun = lines.at(-1);
    if (begun !== undefined && begun.length + 1 + word.length <= Math.max(narrowest, room)) lines[lines.length - 1] = `${begun} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** What others wrote must not steer this terminal. */
export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ');

/** The same of a text whose line breaks are its writer's to make. */
export const printableText = (text: string): string => text.split('\n').map(printable).join('\n');

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

/** To the second, in UTC as the logs have it. */
export const timeOf = (iso: string | undefined): string | undefined => iso?.replace('T', ' ').replace(/(\.\d+)?Z$/, 'Z');

/** To the minute, for tables. */
export const minuteOf = (iso: string | undefined): string | undefined => iso?.replace(/^(.{10})T(.{5}).*$/, '$1 $2Z');

/** How far away a time is: `2 min ago`, `in 3 h`. */
export function awayOf(iso: string | undefined, nowMs = Date.now()): string | undefined {
  if (iso === undefined) return undefined;
  const aheadSeconds = Math.round((Date.parse(iso) - nowMs) / 1_000);
  const seconds = Math.abs(aheadSeconds);
  const [unit, size] = units.find(([, each]) => seconds >= each) ?? ['s', 1];
  const distance = `${Math.floor(seconds / size)} ${unit}`;
  return aheadSeconds > 0 ? `in ${distance}` : `${distance} ago`;
}

/** An ARN without what is the same in all of them: partition, service, region and account. --json has it whole. */
export const shortArn = (name: string): string => name.replace(/^arn:[^:]*:[^:]*:[^:]*:[^:]*:/, '');
