import { createHash } from 'node:crypto';
import type { Protection } from './protection';

/** What came of taking one out, as docs/security.md keeps it. */
export interface Found {
  readonly id: string;
  readonly isCaught: boolean;
  /** Day of the run. */
  readonly on: string;
  /** Of the entry as it was then, {@link markOf}. */
  readonly mark: string;
  /** Where it was not noticed: what the test said instead, in a line. */
  readonly says: string;
}

/** Another one for an entry with another patch, or another test: what was found of it before is then of something else. */
export function markOf({ file, search, replace, also = [], test, name, says, builds }: Protection): string {
  return createHash('sha256')
    .update(JSON.stringify([file, search, replace, also, test, name, says?.source ?? '', builds ?? false]))
    .digest('hex')
    .slice(0, 8);
}

const rowPattern = /^\| `([\w-]+)` \| `[^`]*` \| (noticed|\*\*not noticed\*\*) (\d{4}-\d\d-\d\d)(?:; changed since, to be taken out again)?(?:: (.*?))? \| `(\w+)` \|$/gm;

/** What a section that {@link toMarkdown} wrote says of each entry that was taken out. */
export const foundIn = (markdown: string): Found[] =>
  [...markdown.matchAll(rowPattern)].map(([, id = '', verdict, on = '', says = '', mark = '']) => ({ id, isCaught: verdict === 'noticed', on, says, mark }));

/** A row for each entry of the list; what was found of others is dropped. */
export function toMarkdown(found: readonly Found[], protections: readonly Protection[]): string {
  const known = new Map(found.map((one) => [one.id, one]));
  const rows = protections.map((one) => ({ one, was: known.get(one.id), isSame: known.get(one.id)?.mark === markOf(one) }));
  const current = rows.flatMap(({ was, isSame }) => (was && isSame ? [was] : []));
  const days = [...new Set(current.map(({ on }) => on))].sort();
  const counts = [
    [current.filter(({ isCaught }) => isCaught).length, 'noticed by their tests'],
    [current.filter(({ isCaught }) => !isCaught).length, 'not noticed'],
    [rows.filter(({ was, isSame }) => was && !isSame).length, 'changed since, to be taken out again'],
    [rows.filter(({ was }) => !was).length, 'not taken out yet'],
  ].filter(([count]) => count !== 0);
  return [
    `${rows.length} protections, taken out one at a time (${days.join(', ')}): ${counts.map(([count, what]) => `${count} ${what}`).join(', ')}.`,
    '',
    '| taken out | of | found | mark |',
    '|---|---|---|---|',
    ...rows.map(({ one, was, isSame }) => `| \`${one.id}\` | \`${one.file}\` | ${was ? wordsOf(was, isSame) : 'not taken out yet'} | ${was ? `\`${was.mark}\`` : ''} |`),
    '',
  ].join('\n');
}

const wordsOf = ({ isCaught, on, says }: Found, isSame: boolean): string =>
  `${isCaught ? 'noticed' : '**not noticed**'} ${on}${isSame ? '' : '; changed since, to be taken out again'}${says === '' ? '' : `: ${inATable(says)}`}`;

/** One line, without what would end the cell or begin markup. */
const inATable = (says: string): string => says.split('\n')[0]?.replaceAll(/[|`<>*]/g, ' ').replaceAll(/\s+/g, ' ').trim().slice(0, 160) ?? '';
