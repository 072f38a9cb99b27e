import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { createProgram } from '../../src/cli/program';
import { commandReference } from '../../src/cli/reference';
import { Desk } from './tenure';

let desk: Desk;
beforeAll(async () => {
  desk = await Desk.make();
});
afterAll(() => desk.remove());

const nowhere = 'http://127.0.0.1:1';

it('is documented, every command and option of it', async () => {
  // Otherwise: npm run docs:cli
  expect(await readFile('docs/cli.md', 'utf8')).toContain(commandReference(createProgram()));
});

it('has no option of a command by the name of one that all have: the program would take it for its own', () => {
  const program = createProgram();
  const namesOf = (options: Command['options']) => options.flatMap(({ short, long }) => [short, long]).filter((name) => name !== undefined);
  const below = (command: Command): Command[] => command.commands.flatMap((one) => [one, ...below(one)]);
  const global = namesOf(program.options);
  expect(global).toContain('--version');
  expect(below(program).flatMap((command) => namesOf(command.options).filter((name) => global.includes(name)).map((name) => `${command.name()} ${name}`))).toEqual([]);
});

describe('a command line that is not right', () => {
  it.each([
    ['no command', [], /Usage: tenure/],
    ['a group alone', ['tenant'], /Usage: tenure tenant/],
    ['an unknown command', ['tenant', 'shwo', 'acme'], /unknown command 'shwo'.*Did you mean show\?/s],
    ['a missing argument', ['tenant', 'show'], /missing required argument 'tenantId'/],
    ['an unknown option', ['tenant', 'list', '--wrong'], /unknown option '--wrong'/],
    ['a choice that is none', ['operation', 'list', '--state', 'odd'], /Allowed choices are running/],
    ['a time that is none', ['operation', 'list', '--since', 'soon'], /It is a time such as/],
    ['a count that is none', ['tenant', 'list', '--limit', '0'], /It is a number from 1 on/],
    ['an address that is none', ['tenant', 'list', '--api', 'nonsense'], /--api must be an address/],
    ['a certificate that is not there', ['certificate', 'verify', 'nothing.json', '--key', 'nothing.json'], /nothing\.json cannot be read/],
    ['a drain policy that is none', ['tenant', 'offboard', 'acme', '--drain-policy', 'hurry'], /Allowed choices are wait, stop/],
    ['a version that is none', ['agent', 'alias', 'acme', 'support', 'default', 'latest'], /It is a number from 1 on/],
    ['another one', ['agent', 'show', 'acme', 'support', '0'], /It is a number from 1 on/],
    ['a budget that is none', ['tenant', 'budgets', 'acme', '--set', 'session.tokens=-1'], /It is level\.unit=number/],
    ['no time', ['schedule', 'create', 'acme', 'morning', 'What is new?'], /one of --cron, --every and --at/],
    ['two times', ['schedule', 'create', 'acme', 'morning', 'What is new?', '--every', '1h', '--cron', '0 8 * * *'], /one of --cron, --every and --at/],
    ['two other times', ['schedule', 'update', 'acme', 'morning', '--cron', '0 8 * * *', '--at', '2030-12-24T18:00:00'], /one of --cron, --every and --at/],
    ['a time zone for an interval', ['schedule', 'create', 'acme', 'morning', 'What is new?', '--every', '1h', '--time-zone', 'Mars/X'], /--time-zone goes with/],
    ['two sources of tools', ['tool-source', 'add', 'acme', 'shop', '--openapi', 'shop.json', '--mcp', 'https://mcp.example.com/mcp'], /one of --openapi and --mcp/],
    ['a shell there is no completion for', ['completion', 'csh'], /only for bash, zsh, fish/],
  ])('%s: is a usage error', async (_what, args, words) => {
    const { code, stdout, stderr } = await desk.run(args);
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(words) as unknown });
  });

  it('prints help and its version when asked', async () => {
    expect(await desk.run(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Commands:') as unknown });
    expect(await desk.run(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as unknown });
  });
});

describe('nobody to talk to', () => {
  it('says what to start, when no API is known', async () => {
    expect(await desk.run(['tenant', 'list'])).toMatchObject({ code: 6, stdout: '', stderr: expect.stringMatching(/Which API\?.*npm start.*tenure login/s) as unknown });
  });

  it('says how to sign in, when nobody has', async () => {
    const expected = { code: 5, stdout: '', stderr: `tenure: You are not signed in at ${nowhere}.\n  tenure login --api ${nowhere}\n` };
    expect(await desk.run(['tenant', 'list', '--api', nowhere])).toEqual(expected);
    expect(await desk.run(['tenant', 'list'], { env: { TENURE_API_URL: nowhere } })).toEqual(expected);
  });

  it('says that the API does not answer; as JSON, too', async () => {
    const env = { TENURE_TOKEN: 'any' };
    expect(await desk.run(['tenant', 'list', '--api', nowhere], { env })).toMatchObject({ code: 6, stderr: expect.stringContaining(`The API at ${nowhere} does not answer`) as unknown });
    const { code, stderr } = await desk.run(['tenant', 'list', '--api', nowhere, '--json'], { env });
    expect([code, JSON.parse(stderr)]).toEqual([6, { error: expect.objectContaining({ code: 'cli', exitCode: 6, hint: expect.any(String) as unknown }) as unknown }]);
  });
});

describe('doctor, with nothing running', () => {
  it('looks at this machine, and says what is missing and how to get it', async () => {
    const { code, stdout, stderr } = await desk.run(['doctor', '--json']);
    const { healthy, checks } = JSON.parse(stdout) as { healthy: boolean; checks: { name: string; state: string; fix?: string }[] };
    const stateOf = (name: string) => checks.find((check) => check.name === name)?.state;
    expect({ code, healthy, node: stateOf('node'), api: stateOf('api'), environment: stateOf('local-stack'), workers: stateOf('workers') }).toEqual({
      ...{ code: 1, healthy: false, node: 'ok', api: 'failed' },
      ...{ environment: 'warning', workers: 'skipped' },
    });
    for (const { state, fix } of checks) expect(fix !== undefined).toBe(state === 'failed' || state === 'warning');
    expect(stderr).toContain('checks failed');
  });

  it('gives up on an API that is silent, and says so', async () => {
    const { createServer } = await import('node:net');
    const silent = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    const { code, stdout } = await desk.run(['doctor', '--api', `http://127.0.0.1:${port}`], { env: { TENURE_TOKEN: 'any' } });
    silent.close();
    expect(code).toBe(1);
    expect(stdout).toMatch(/✗ api +.*does not answer \(nothing within 5 s\)[^✗]*– ready +there is no API to ask/s);
  });

  it('names a port that is taken, and the way out', async () => {
    const { createServer } = await import('node:net');
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const { stdout } = await desk.run(['doctor'], { env: { TENURE_VALKEY_PORT: String(port) } });
    server.close();
    expect(stdout).toMatch(new RegExp(`! ports +taken by other programs:.*${port} \\(valkey\\)[^→]*→ .*TENURE_VALKEY_PORT=${port + 10_000}`, 's'));
  });
});

describe('completion', () => {
  const complete = async (...words: string[]) => (await desk.run(['__complete', ...words])).stdout.split('\n').map((line) => line.split('\t')[0]).filter(Boolean);

  it('knows commands, options and choices from the commands themselves', async () => {
    expect(await complete('ten')).toEqual(['tenant']);
    expect(await complete('operation', 'w')).toEqual(['watch']);
    expect(await complete('operation', 'list', '--st')).toEqual(['--state', '--stuck']);
    expect(await complete('operation', 'list', '--state', 'un')).toEqual(['undoing', 'undone']);
    expect(await complete('--js')).toEqual(['--json']);
    expect(await complete('tenant', 'nonsense', '')).not.toContain('nonsense');
  });

  it('says nothing, soon, when ids cannot be had', async () => {
    expect(await desk.run(['__complete', 'tenant', 'show', ''])).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});
