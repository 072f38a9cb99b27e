import { parseArgs } from 'node:util';
import { readDocs, updateDocs } from './docs';
import { type Found, foundIn, markOf, toMarkdown } from './protections/found';
import { protections } from './protections/list';
import { removeProtections } from './protections-run';

const { values: options } = parseArgs({
  options: {
    /** Ids, or beginnings of them or of a jest file, with commas between. What the page says of the others stays. */
    only: { type: 'string', default: '' },
    /** Those that were never taken out as they are now, or not noticed. */
    open: { type: 'boolean', default: false },
    /** Takes nothing out: the page alone is brought in line with the list. */
    mark: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  if (options.mark) {
    await keep();
    return;
  }
  const beginnings = options.only.split(',').filter(Boolean);
  const isAskedFor = ({ id, test }: { id: string; test: string }): boolean => beginnings.length === 0 || beginnings.some((beginning) => id.startsWith(beginning) || test.startsWith(beginning));
  const done = new Set((await before()).flatMap(({ isCaught, mark }) => (isCaught ? [mark] : [])));
  const chosen = protections.filter((one) => isAskedFor(one) && !(options.open && done.has(markOf(one))));
  if (chosen.length === 0) throw new Error(`No protection ${options.open ? 'that is open ' : ''}is called ${options.only}.`);
  const missed: string[] = [];
  await removeProtections(chosen, async ({ id, isCaught, says, seconds }) => {
    console.log(`${isCaught ? 'caught    ' : 'NOT CAUGHT'} ${id} (${seconds.toFixed(0)} s): ${says.replaceAll(/\s+/g, ' ').slice(0, 300)}`);
    if (!isCaught) missed.push(id);
    await keep(...chosen.filter((one) => one.id === id).map((one) => ({ id, isCaught, on: new Date().toISOString().slice(0, 10), mark: markOf(one), says: isCaught ? '' : says })));
  });
  if (missed.length > 0) process.exitCode = 1;
}

const before = async (): Promise<Found[]> => foundIn(await readDocs('protections'));

/** The page is what is kept of all runs: each result goes there at once, beside what it says of the others. */
async function keep(...found: readonly Found[]): Promise<void> {
  await updateDocs('protections', toMarkdown([...(await before()), ...found], protections));
}

// What still runs when something broke ends with this process.
main().then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
