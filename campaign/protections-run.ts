import { execFile, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { bootstrapPlatform } from '../src/bootstrap';
import { loadConfig } from '../src/config';
import { projectRoot } from '../src/local/project-root';
import { type LocalStack, startStack } from '../src/local/stack';
import { type Protection, without } from './protections/protection';

/** What came of taking one out. */
export interface ProtectionResult {
  readonly id: string;
  /** Whether the test noticed, for the reason it is there for. */
  readonly isCaught: boolean;
  /** What the test said, or why this shows nothing. */
  readonly says: string;
  readonly seconds: number;
}

const Report = z.object({
  numFailedTests: z.number(),
  testResults: z.array(z.object({ message: z.string(), assertionResults: z.array(z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()) })) })),
});
type Report = z.infer<typeof Report>;

const inProject = promisify(execFile);

/** A test may hang without its protection: nothing else runs beside it, so that none takes as long as this. */
const testTimeoutMs = 90_000;

/**
 * Takes protections out one after the other, in a copy of the project, and runs the test of each. Those of one jest file share a stack.
 * Before, the tests run with all in place: what fails then shows nothing.
 */
export async function removeProtections(protections: readonly Protection[], onResult: (result: ProtectionResult) => Promise<void>): Promise<void> {
  const copy = await copyOfProject();
  try {
    for (const test of new Set(protections.map((one) => one.test))) await removeOfFile(copy, test, protections.filter((one) => one.test === test), onResult);
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

async function removeOfFile(copy: string, test: string, protections: readonly Protection[], onResult: (result: ProtectionResult) => Promise<void>): Promise<void> {
  const stack = needsStack(test) ? await stackIn(copy) : undefined;
  try {
    const names = [...new Set(protections.map(({ name }) => name))];
    const untouched = await jest(copy, test, names, stack?.stack);
    const passed = untouched.testResults.flatMap(({ assertionResults }) => assertionResults.flatMap(({ fullName, status }) => (status === 'passed' ? [fullName] : [])));
    const broken = wordsOf(untouched)[0];
    for (const protection of protections) {
      const startedAtMs = Date.now();
      const isThere = passed.some((name) => name.includes(protection.name));
      const verdict = isThere ? await remove(copy, protection, stack?.stack) : { isCaught: false, says: `The test does not pass with the protection in place: ${broken ?? 'it is not there'}` };
      await onResult({ id: protection.id, ...verdict, seconds: (Date.now() - startedAtMs) / 1_000 });
    }
  } finally {
    await stack?.stop();
  }
}

async function remove(copy: string, protection: Protection, stack: LocalStack | undefined): Promise<Pick<ProtectionResult, 'isCaught' | 'says'>> {
  const file = path.join(copy, protection.file);
  const source = await readFile(file, 'utf8');
  await writeFile(file, without(protection, source));
  try {
    if (protection.builds) await inProject('npm', ['run', '--silent', 'build'], { cwd: copy });
    return verdictOn(protection, await jest(copy, protection.test, [protection.name], stack));
  } finally {
    await writeFile(file, source);
    if (protection.builds) await inProject('npm', ['run', '--silent', 'build'], { cwd: copy });
  }
}

/** A test that breaks down has noticed something, but nobody knows what: an expectation must have failed, or what the entry names. */
export function verdictOn({ says = /expect\(|fail\(/ }: Pick<Protection, 'says'>, report: Report): Pick<ProtectionResult, 'isCaught' | 'says'> {
  const words = wordsOf(report);
  if (words.length === 0) return { isCaught: false, says: 'The test passes without it.' };
  const fitting = words.find((one) => says.test(one));
  return { isCaught: fitting !== undefined && report.numFailedTests > 0, says: fitting ?? `Fails for another reason: ${words[0] ?? ''}` };
}

/** Of tests that failed, and of files that could not be run at all. */
const wordsOf = ({ testResults }: Report): string[] =>
  testResults.flatMap(({ message, assertionResults }) => {
    const failed = assertionResults.flatMap(({ failureMessages }) => failureMessages);
    return (failed.length > 0 ? failed : message === '' || assertionResults.some(({ status }) => status === 'passed') ? [] : [message]).map((words) => words.split('\n    at ')[0]?.slice(0, 600) ?? '');
  });

/** Everything git knows or would, its packages and tools by link. */
async function copyOfProject(): Promise<string> {
  const copy = await mkdtemp(path.join(os.tmpdir(), 'tenure-protections-'));
  const { stdout } = await inProject('git', ['ls-files', '-co', '--exclude-standard'], { cwd: projectRoot });
  const linked = ['node_modules', '.tenure'];
  for (const file of stdout.split('\n').filter((name) => name !== '' && !linked.includes(name))) await cp(path.join(projectRoot, file), path.join(copy, file));
  await Promise.all(linked.map((directory) => symlink(path.join(projectRoot, directory), path.join(copy, directory))));
  await cp(path.join(projectRoot, 'dist'), path.join(copy, 'dist'), { recursive: true, filter: (file) => !file.endsWith('-build') });
  return copy;
}

const needsStack = (test: string): boolean => !/^test\/(domain|contracts|docs|local\/supply-chain|adapters\/(http|audit-verification))/.test(test);

async function stackIn(copy: string): Promise<{ stack: LocalStack; stop(): Promise<void> }> {
  const stateDir = path.join(copy, '.state');
  await mkdir(stateDir, { recursive: true });
  const stack = await startStack({ stateDir, keepsState: false, restart: false, onProgress: () => undefined });
  Object.assign(process.env, stack.env);
  await bootstrapPlatform(loadConfig());
  return {
    stack,
    async stop() {
      await stack.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

async function jest(copy: string, test: string, names: readonly string[], stack: LocalStack | undefined): Promise<Report> {
  const outputFile = path.join(copy, 'jest.json');
  await rm(outputFile, { force: true });
  const args = ['node_modules/jest/bin/jest.js', '--runInBand', '--forceExit', '--silent', '--no-color', `--testTimeout=${testTimeoutMs}`, '--json', `--outputFile=${outputFile}`, '--runTestsByPath', test, '-t', `(${names.map(escaped).join('|')})`];
  const env = { ...process.env, ...stack?.env, ...(stack && { TEMPORAL_TEST_SERVER: stack.tools.temporalTestServer }), TENURE_TEST_STACK: 'none', LOG_LEVEL: 'fatal', FORCE_COLOR: '0' };
  const child = spawn(process.execPath, args, { cwd: copy, env, stdio: 'ignore' });
  await new Promise((resolve, reject) => child.once('exit', resolve).once('error', reject));
  return Report.parse(JSON.parse(await readFile(outputFile, 'utf8')));
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
