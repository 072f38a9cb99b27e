import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createProgram } from '../cli/program';
import { commandReference } from '../cli/reference';
import { projectRoot } from './project-root';

const marker = '<!-- What follows is written by "npm run docs:cli". -->\n';

/** Writes the commands into docs/cli.md anew. */
async function main(): Promise<void> {
  const file = path.join(projectRoot, 'docs/cli.md');
  const [before = ''] = (await readFile(file, 'utf8')).split(marker);
  await writeFile(file, `${before}${marker}\n${commandReference(createProgram())}`);
}

void main();
