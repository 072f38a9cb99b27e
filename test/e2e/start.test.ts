import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { freePorts, isTaken } from '../../src/local/ports';
import { descendantRunning, descendants, survivors } from '../local/processes';

const root = path.join(__dirname, '../..');
const portNames = ['api', 'temporal', 'temporal_ui', 'aws', 'valkey', 'model'] as const;

let project: string;
let ports: Record<(typeof portNames)[number], number>;
/** Those of a test that fails run still. */
let running: ChildProcess[] = [];

/** A project folder of its own, as after an installation and a build: `npm start` keeps its state beside what it runs. */
beforeAll(async () => {
  project = await mkdtemp(path.join(os.tmpdir(), 'tenure-start-'));
  await mkdir(path.join(project, '.tenure'));
  await Promise.all([
    ...['dist', 'cloudformation', 'package.json', 'requirements-local.txt'].map((name) => cp(path.join(root, name), path.join(project, name), { recursive: true })),
    ...['node_modules', '.tenure/venv'].map((name) => symlink(path.join(root, name), path.join(project, name))),
  ]);
  ports = await freePorts(portNames);
});
afterEach(async () => {
  const left = running.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  running = [];
  await Promise.all(left.map((child) => (child.kill('SIGTERM'), once(child, 'close'))));
});
afterAll(() => rm(project, { recursive: true, force: true }));

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
  /** @throws Error when it ends without having said it. */
  said(words: string): Promise<void>;
}

function run(script: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Run {
  const portVariables = Object.fromEntries(portNames.map((name) => [`TENURE_${name.toUpperCase()}_PORT`, String(ports[name])]));
  const child = spawn(process.execPath, [path.join(project, 'dist', script), ...args], { cwd: project, env: { ...process.env, ...portVariables, ...env } });
  running.push(child);
  let output = '';
  const arrivals = [child.stdout, child.stderr].map((stream) => stream.on('data', (chunk: Buffer) => (output += chunk.toString())));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const more = () => Promise.race([...arrivals.map((stream) => once(stream, 'data')), ended]);
  const said = async (words: string): Promise<void> => {
    while (!output.includes(words)) {
      if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode} and said: ${output}`);
      await more();
    }
  };
  return { child, output: () => output, ended, said };
}

async function tenure(...args: string[]): Promise<string> {
  const { ended, output } = run('cli/main.js', args);
  expect([await ended, output()]).toEqual([0, expect.any(String)]);
  return output();
}

async function started(): Promise<Run> {
  const stack = run('local/start.js');
  await stack.said('Ctrl-C stops everything');
  return stack;
}

const openPorts = async () => (await Promise.all(portNames.map(async (name) => ((await isTaken(ports[name])) ? [name] : [])))).flat();

it('stays up, refuses a second start, stops cleanly and remembers everything at the next', async () => {
  const first = await started();
  expect(first.output()).toContain(`http://127.0.0.1:${ports.api}/openapi.json`);
  expect((await stat(path.join(project, '.tenure/local.json'))).mode & 0o777).toBe(0o600);
  await tenure('tenant', 'create', 'acme');
  await tenure('session', 'chat', 'acme', 'Store my preference: color=blue');

  const second = run('local/start.js');
  expect([await second.ended, second.output()]).toEqual([1, `Tenure runs already: process ${first.child.pid}. Stop it with Ctrl-C in its terminal, or: kill ${first.child.pid}\n`]);

  const below = await descendants(first.child.pid ?? 0);
  expect(below.length).toBeGreaterThanOrEqual(7);
  first.child.kill('SIGINT');
  expect(await first.ended).toBe(0);
  expect(first.output()).toContain('stopped; the state is kept in .tenure/state');
  expect([await survivors(below, 2_000), await openPorts()]).toEqual([[], []]);

  const again = await started();
  expect(again.output()).not.toContain('not stopped cleanly');
  expect(await tenure('tenant', 'list')).toMatch(/acme.*active/);
  expect(await tenure('session', 'chat', 'acme', 'What is my color preference?')).toContain('color=blue');
  again.child.kill('SIGTERM');
  expect(await again.ended).toBe(0);
});

it('takes everything along when it is killed, in order, and remembers it at the next start', async () => {
  const killed = await started();
  const below = await descendants(killed.child.pid ?? 0);
  killed.child.kill('SIGKILL');
  await killed.ended;
  expect([await survivors(below, 10_000), await openPorts()]).toEqual([[], []]);

  const next = await started();
  expect(next.output()).not.toContain('not stopped cleanly');
  expect(await tenure('tenant', 'list')).toMatch(/acme.*active/);
  next.child.kill('SIGINT');
  expect(await next.ended).toBe(0);
});

it('stops with a clear word when the emulator dies with what it held, and starts over', async () => {
  const stack = await started();
  const below = await descendants(stack.child.pid ?? 0);
  process.kill(await descendantRunning(stack.child.pid ?? 0, 'ministack'), 'SIGKILL');
  expect(await stack.ended).toBe(1);
  expect(stack.output()).toMatch(/aws ended by itself \(SIGKILL\).*\n.*What the AWS emulator held is lost/);
  expect([await survivors(below, 10_000), await openPorts()]).toEqual([[], []]);

  const next = await started();
  expect(next.output()).toMatch(/not stopped cleanly, and the AWS emulator lost its state\. Starting over; the old state is in .*state-unclean-/);
  expect(await tenure('tenant', 'list')).not.toContain('acme');
  expect(await readdir(path.join(project, '.tenure'))).toContainEqual(expect.stringMatching(/^state-unclean-/));
  next.child.kill('SIGINT');
  expect(await next.ended).toBe(0);
});

it('ends with an error when the emulator could not write what it held, says so, and starts over', async () => {
  const stack = await started();
  await mkdir(path.join(project, '.tenure/state/aws/dynamodb.json.tmp'));
  stack.child.kill('SIGINT');
  expect(await stack.ended).toBe(1);
  expect(stack.output()).toMatch(/not saved: it could not write dynamodb \(.*\)\. What was done since this start is lost/);
  expect(stack.output()).not.toContain('the state is kept');

  const next = await started();
  expect(next.output()).toContain('not stopped cleanly');
  next.child.kill('SIGINT');
  expect(await next.ended).toBe(0);
});

it('starts over when the emulator could not write what it held after a kill', async () => {
  const killed = await started();
  const below = await descendants(killed.child.pid ?? 0);
  await mkdir(path.join(project, '.tenure/state/aws/dynamodb.json.tmp'));
  killed.child.kill('SIGKILL');
  await killed.ended;
  expect(await survivors(below, 10_000)).toEqual([]);

  const next = await started();
  expect(next.output()).toContain('not stopped cleanly');
  next.child.kill('SIGINT');
  expect(await next.ended).toBe(0);
});

it('does not let settings of the real services near the stack', async () => {
  const foreign = { AWS_PROFILE: 'production', AWS_SESSION_TOKEN: 'real', TEMPORAL_API_KEY: 'real', TEMPORAL_ADDRESS: 'real.invalid:7233', VALKEY_URL: 'redis://real.invalid' };
  const stack = run('local/start.js', [], foreign);
  await stack.said('Ctrl-C stops everything');
  await tenure('tenant', 'create', 'shielded');
  stack.child.kill('SIGINT');
  expect(await stack.ended).toBe(0);
});

it('says of a service that keeps dying that it does, ever more rarely', async () => {
  const stack = await started();
  const seen = ['0.2 s', '0.4 s', '0.8 s'];
  for (const pause of seen) {
    process.kill(await descendantRunning(stack.child.pid ?? 0, 'model/main.js'), 'SIGKILL');
    await stack.said(`model ended by itself (SIGKILL); its log is ${path.join(project, '.tenure/state/logs/model.log')}. It is started again in ${pause}`);
  }
  stack.child.kill('SIGINT');
  expect(await stack.ended).toBe(0);
});

it('names the port that is taken, and the way out', async () => {
  const other = createServer().listen(ports.valkey, '127.0.0.1');
  await once(other, 'listening');
  const refused = run('local/start.js');
  expect([await refused.ended, refused.output()]).toEqual([1, expect.stringMatching(new RegExp(`^Port ${ports.valkey} \\(valkey\\) is taken .*TENURE_VALKEY_PORT=`))]);
  other.close();
});

it('names a port that is none', async () => {
  const refused = run('local/start.js', [], { TENURE_API_PORT: 'high' });
  expect([await refused.ended, refused.output()]).toEqual([1, 'TENURE_API_PORT must be a port, 1 to 65535; it is "high".\n']);
});
