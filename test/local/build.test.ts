import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const root = path.join(__dirname, '../..');

let project: string;
/** A project with little to compile, and a build from which something may be running. */
beforeEach(async () => {
  project = await mkdtemp(path.join(os.tmpdir(), 'tenure-build-'));
  await Promise.all(['src/local', 'src/workflows', 'dist'].map((folder) => mkdir(path.join(project, folder), { recursive: true })));
  await Promise.all(['package.json', 'tsconfig.json', 'tsconfig.build.json', 'src/local/replace-build.ts'].map((name) => cp(path.join(root, name), path.join(project, name))));
  await symlink(path.join(root, 'node_modules'), path.join(project, 'node_modules'));
  await writeFile(path.join(project, 'dist/worker.js'), '');
});
afterEach(() => rm(project, { recursive: true, force: true }));

const built = async () => (await readdir(path.join(project, 'dist'), { recursive: true })).filter((name) => name.endsWith('.js')).sort();

/** @param bundling - what the step before the last does. */
async function build(bundling: string): Promise<number> {
  await writeFile(path.join(project, 'src/workflows/bundle.ts'), `import { existsSync } from 'node:fs';\n${bundling}`);
  const [code] = (await once(spawn('npm', ['run', 'build'], { cwd: project, stdio: 'ignore' }), 'exit')) as [number];
  return code;
}

it('leaves the program that is there in place until the new one is whole, and nothing of it then', async () => {
  expect(await build(`process.exitCode = existsSync('../dist/worker.js') ? 0 : 1;`)).toBe(0);
  expect(await built()).toEqual(['local/replace-build.js', 'workflows/bundle.js']);
});

it('that fails leaves the program that is there', async () => {
  expect(await build('process.exitCode = existsSync("nowhere") ? 0 : 1;')).not.toBe(0);
  expect(await built()).toEqual(['worker.js']);
});
