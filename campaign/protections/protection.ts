/** A protection, how to take it out, and the test that is to notice. */
export interface Protection {
  /** For `--only`. */
  readonly id: string;
  /** The row of docs/security.md it stands in: its first column, word for word. */
  readonly row: string;
  /** Source file whose only `search` becomes `replace`. */
  readonly file: string;
  readonly search: string;
  readonly replace: string;
  /** Other places of the same file: what locks twice is taken out twice. */
  readonly also?: readonly (readonly [search: string, replace: string])[];
  /** Jest file, and a part of the full name of the test. */
  readonly test: string;
  readonly name: string;
  /** What the failure has to say, where it is not an expectation that was not met. */
  readonly says?: RegExp;
  /** The test starts processes: they are built anew. */
  readonly builds?: true;
}

/** Those of one row and one jest file. */
export const of = (row: string, test: string, ...protections: readonly Omit<Protection, 'row' | 'test'>[]): Protection[] => protections.map((one) => ({ row, test, ...one }));

/** A source without the protection. @throws Error when what is to be replaced is not there exactly once. */
export const without = ({ id, search, replace, also = [] }: Protection, source: string): string =>
  [[search, replace] as const, ...also].reduce((text, [from, to]) => {
    const parts = text.split(from);
    if (parts.length !== 2) throw new Error(`${id}: ${JSON.stringify(from)} is there ${parts.length - 1} times.`);
    return parts.join(to);
  }, source);
