import type { Command } from 'commander';
import { candidatesFor } from './candidates';
import { knownIds } from './known-ids';

/** What the shell asks when Tab is pressed: a candidate a line, with its description behind a tab. */
export async function complete(program: Command, words: readonly string[]): Promise<void> {
  const candidates = await candidatesFor(program, words, knownIds);
  const lines = candidates.map(({ value, description }) => `${value}\t${description.replaceAll(/\s+/g, ' ')}\n`);
  process.stdout.write(lines.join(''));
}
