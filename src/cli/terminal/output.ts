import { type Paint, painter } from './paint';
import { type Column, factsOf, tableOf } from './table';

export interface OutputSettings {
  /** Results as JSON, for scripts. */
  readonly json: boolean;
  /** Results only: no remarks, no progress. */
  readonly quiet: boolean;
  /** Of `--no-color`; NO_COLOR, and an output that is no terminal, say the same. */
  readonly color: boolean;
}

/** Where everything a command says goes: results to standard output, remarks to standard error. */
export interface Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Whether a person looks at standard output, and lines on it can be written again. */
  readonly isLive: boolean;
  readonly paint: Paint;
  /** The result: as JSON, or as text for people. */
  result(value: unknown, text: () => string): void;
  /** A list as a table. */
  list<Row>(rows: readonly Row[], columns: readonly Column<Row>[], whenEmpty: string): void;
  /** A table, as wide as there is room. */
  table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string;
  /** Facts about one thing, as wide as there is room. */
  facts(facts: Readonly<Record<string, string | number | undefined>>): string;
  /** A remark for people: not part of the result. */
  note(line: string): void;
  /** As it is, on standard output. */
  write(text: string): void;
}

export function createOutput({ json, quiet, color }: OutputSettings): Output {
  const paint = painter(color, process.stdout);
  const write = (text: string) => void process.stdout.write(text);
  // What goes into a file or a pipe has room. A terminal that does not know its width says 0.
  const room = process.stdout.isTTY ? process.stdout.columns || 80 : Infinity;
  const table = <Row>(rows: readonly Row[], columns: readonly Column<Row>[]) => tableOf(rows, columns, paint, room);
  const result = (value: unknown, text: () => string) => write(`${json ? JSON.stringify(value, null, 2) : text()}\n`);
  return {
    json,
    quiet,
    isLive: process.stdout.isTTY && process.env['TERM'] !== 'dumb',
    paint,
    result,
    list: (rows, columns, whenEmpty) => result(rows, () => (rows.length === 0 ? whenEmpty : table(rows, columns))),
    table,
    facts: (facts) => factsOf(facts, paint, room),
    note(line) {
      if (!json && !quiet) process.stderr.write(`${line}\n`);
    },
    write,
  };
}
