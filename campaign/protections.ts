import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { updateDocs } from './docs';
import { protections } from './protections/list';
import { type ProtectionResult, removeProtections } from './protections-run';

const { values: options } = parseArgs({
  options: {
    /** Ids, or beginnings of them or of a jest file, with commas between. What was found of the others before stays. */
    only: { type: 'string', default: '' },
    out: { type: 'string', default: 'campaign/results' },
  },
});

interface Kept extends ProtectionResult {
  readonly on: string;
}

async function main(): Promise<void> {
  const beginnings = options.only.split(',').filter(Boolean);
  const chosen = protections.filter(({ id, test }) => beginnings.length === 0 || beginnings.some((beginning) => id.startsWith(beginning) || test.startsWith(beginning)));
  if (chosen.length === 0) throw new Error(`No protection is called ${options.only}.`);
  await mkdir(options.out, { recursive: true });
  const file = path.join(options.out, 'protections.json');
  const before = (JSON.parse(await readFile(file, 'utf8').catch(() => '[]')) as Kept[]).filter(({ id }) => protections.some((one) => one.id === id));
  const kept = new Map(before.map((one) => [one.id, one]));
  await removeProtections(chosen, async (result) => {
    console.log(`${result.isCaught ? 'caught    ' : 'NOT CAUGHT'} ${result.id} (${result.seconds.toFixed(0)} s): ${result.says.replaceAll(/\s+/g, ' ').slice(0, 300)}`);
    kept.set(result.id, { ...result, on: new Date().toISOString().slice(0, 10) });
    await writeFile(file, `${JSON.stringify([...kept.values()], undefined, 2)}\n`);
  });
  await updateDocs('protections', toMarkdown([...kept.values()]));
  if (chosen.some(({ id }) => kept.get(id)?.isCaught !== true)) process.exitCode = 1;
}

function toMarkdown(results: readonly Kept[]): string {
  const missed = results.filter(({ isCaught }) => !isCaught);
  const days = [...new Set(results.map(({ on }) => on))].sort();
  const open = protections.filter(({ id }) => results.every((one) => one.id !== id));
  return [
    `${results.length} protections, each taken out by itself (${days.join(', ')}): ${missed.length === 0 ? 'its test failed for every one' : `${results.length - missed.length} were noticed`}.`,
    ...missed.map(({ id, says }) => `- Not noticed: \`${id}\`. ${says.split('\n')[0] ?? ''}`),
    ...(open.length > 0 ? [`- Not taken out yet: ${open.map(({ id }) => `\`${id}\``).join(', ')}`] : []),
    '',
  ].join('\n');
}

// What still runs when something broke ends with this process.
main().then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error);
    process.exit(1);
  },
);
