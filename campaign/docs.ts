import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../src/local/project-root';

const pages = { matrix: 'docs/reliability.md', tenants: 'docs/reliability.md', memory: 'docs/backup-format.md', hostile: 'docs/security.md', protections: 'docs/security.md', api: 'docs/security.md' } as const;

/** Puts a run's result between `<!-- {name} -->` and `<!-- /{name} -->`. @throws Error when the page has no such place. */
export async function updateDocs(name: keyof typeof pages, markdown: string): Promise<void> {
  const file = path.join(projectRoot, pages[name]);
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const page = await readFile(file, 'utf8');
  const [before, after] = [page.split(begin)[0], page.split(end)[1]];
  if (before === undefined || after === undefined || !page.includes(begin)) throw new Error(`${file} has no section ${begin}.`);
  await writeFile(file, `${before}${begin}\n\n${markdown}\n${end}${after}`);
}
