import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../src/local/project-root';

const pages = { matrix: 'docs/reliability.md', tenants: 'docs/reliability.md', memory: 'docs/backup-format.md', sessions: 'docs/reliability.md', 'session-fuzz': 'docs/reliability.md', hostile: 'docs/security.md', protections: 'docs/security.md', api: 'docs/security.md', timing: 'docs/security.md' } as const;

/** Puts a run's result between `<!-- {name} -->` and `<!-- /{name} -->`. @throws Error when the page has no such place. */
export async function updateDocs(name: keyof typeof pages, markdown: string): Promise<void> {
  const { file, before, after } = await sectionOf(name);
  await writeFile(file, `${before}\n\n${markdown}\n${after}`);
}

/** What stands there. @throws Error when the page has no such place. */
export const readDocs = async (name: keyof typeof pages): Promise<string> => (await sectionOf(name)).section.trim();

async function sectionOf(name: keyof typeof pages): Promise<{ file: string; before: string; section: string; after: string }> {
  const file = path.join(projectRoot, pages[name]);
  const page = await readFile(file, 'utf8');
  const begin = page.indexOf(`<!-- ${name} -->`) + `<!-- ${name} -->`.length;
  const end = page.indexOf(`<!-- /${name} -->`);
  if (!page.includes(`<!-- ${name} -->`) || end < begin) throw new Error(`${file} has no section ${name}.`);
  return { file, before: page.slice(0, begin), section: page.slice(begin, end), after: page.slice(end) };
}
