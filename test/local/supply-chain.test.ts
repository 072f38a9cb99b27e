import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { licencesIn, notAllowed } from '../../src/local/licences';

/** Secretlint is published as ES modules: it runs as its own program. */
const secretlint = path.resolve('node_modules/secretlint/bin/secretlint.js');

it('finds a secret that somebody commits', () => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'tenure-secrets-'));
  // Put together here, so that this file holds none.
  writeFileSync(path.join(directory, 'leak.ts'), `export const token = '${['gh', 'p_wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('')}';\n`);
  const { status, stdout } = spawnSync(process.execPath, [secretlint, '--secretlintrc', path.resolve('.secretlintrc.json'), '**/*'], { cwd: directory, encoding: 'utf8' });
  expect([status, stdout]).toEqual([1, expect.stringContaining('leak.ts')]);
  rmSync(directory, { recursive: true });
});

it('runs no code of packages while they are installed', () => {
  expect(execFileSync('npm', ['config', 'get', 'ignore-scripts'], { encoding: 'utf8' }).trim()).toBe('true');
  expect(readFileSync('Dockerfile', 'utf8').match(/^COPY package.*$/gm)).toEqual([expect.stringContaining(' .npmrc '), expect.stringContaining(' .npmrc '), expect.anything()]);
});

it('lists every package of the image with a licence somebody has allowed', () => {
  const sbom = JSON.parse(execFileSync('npx', ['cyclonedx-npm', '--omit', 'dev', '--flatten-components'], { encoding: 'utf8', maxBuffer: 50_000_000 })) as Parameters<typeof licencesIn>[0] & { bomFormat: string };
  const packages = licencesIn(sbom);
  expect(sbom.bomFormat).toBe('CycloneDX');
  expect(packages.map(({ name }) => name)).toEqual(expect.arrayContaining(['express', 'zod', '@temporalio/worker']));
  expect(notAllowed(packages)).toEqual([]);
});

it('does not take a licence it does not know, or none', () => {
  const component = (name: string, licenses?: object[]) => ({ name, version: '1.0.0', ...(licenses && { licenses }) });
  const packages = licencesIn({ components: [component('a', [{ license: { id: 'AGPL-3.0-only' } }]), component('b'), component('c', [{ expression: '(MIT OR GPL-3.0-only)' }]), component('d', [{ license: { id: 'MIT' } }]), component('e', [{ expression: 'MIT AND GPL-3.0-only' }])] });
  expect(notAllowed(packages).map(({ name }) => name)).toEqual(['a', 'b', 'e']);
});
