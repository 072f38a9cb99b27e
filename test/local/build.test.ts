import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

const root = path.join(__dirname, '../..');

let project: string;
/** A project with little to compile, and a build from which something may be running. */
beforeEach(async () => {
  project = await mkdtemp(path.join(os.tmpdir(), 'tenure-build-'));
  await Promise.all(['src/local', 'src/workflows', 'src/cli', 'dist'].map((folder) => mkdir(path.join(project, folder), { recursive: true })));
  await Promise.all(['package.json', 'tsconfig.json', 'tsconfig.build.json', 'src/local/build.mjs'].map((name) => cp(path.join(root, name), path.join(project, name))));
  await symlink(path.join(root, 'node_modules'), path.join(project, 'node_modules'));
  await writeFile(path.join(project, 'src/cli/main.ts'), `console.log('tenure');`);
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

const whole = ['cli/main.js', 'workflows/bundle.js'];

it('leaves the program that is there in place until the new one is whole, and nothing of it then', async () => {
  expect(await build(`process.exitCode = existsSync('../dist/worker.js') ? 0 : 1;`)).toBe(0);
  expect(await built()).toEqual(whole);
});

it('that fails leaves the program that is there', async () => {
  expect(await build('process.exitCode = existsSync("nowhere") ? 0 : 1;')).not.toBe(0);
  expect(await built()).toEqual(['worker.js']);
});

it('takes turns with another one', async () => {
  const bundling = 'process.exitCode = existsSync("cli/main.js") ? 0 : 1;';
  expect(await Promise.all([build(bundling), build(bundling)])).toEqual([0, 0]);
  expect((await readdir(project)).filter((name) => name.startsWith('dist'))).toEqual(['dist']);
  expect(await built()).toEqual(whole);
});

it('leaves a command that can be run', async () => {
  expect(await build('process.exitCode = existsSync("nowhere") ? 1 : 0;')).toBe(0);
  expect((await stat(path.join(project, 'dist/cli/main.js'))).mode & 0o777).toBe(0o755);
});
