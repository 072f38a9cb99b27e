import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { LocalSettings } from '../../src/contracts/local-settings';

const program = path.resolve('dist/cli/main.js');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command is given beside its words. */
export interface Given {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** The command line as a user has it: a home, settings of its own, and `tenure` on the path. */
export class Desk {
  private constructor(
    readonly directory: string,
    readonly env: NodeJS.ProcessEnv,
  ) {}

  /** @param local - of the stack that runs in this folder; none runs without. */
  static async make(local?: LocalSettings): Promise<Desk> {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'tenure-cli-'));
    await Promise.all(['.tenure', 'bin'].map((name) => mkdir(path.join(directory, name))));
    if (local) await writeFile(path.join(directory, '.tenure/local.json'), JSON.stringify(local));
    await chmod(program, 0o755);
    await symlink(program, path.join(directory, 'bin/tenure'));
    const own = {
      ...{ TENURE_API_URL: '', TENURE_TOKEN: '', NO_COLOR: '' }, 
      ...{ TENURE_HOME: directory, TENURE_CONFIG_DIR: path.join(directory, 'config') },
      ...{ PATH: `${path.join(directory, 'bin')}:${process.env['PATH'] ?? ''}`, TERM: 'xterm' },
    };
    return new Desk(directory, { ...process.env, ...own });
  }

  /** Runs a command to its end, without a terminal. */
  async run(args: readonly string[], { env, input = '' }: Given = {}): Promise<Ended> {
    const child = spawn(process.execPath, [program, ...args], { cwd: this.directory, env: { ...this.env, ...env } });
    child.stdin.end(input);
    const closed = once(child, 'close') as Promise<[number | null]>;
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
    return { code, stdout, stderr };
  }

  /** The result of a command that succeeds, as JSON. */
  async json(args: readonly string[], given?: Given): Promise<unknown> {
    const { code, stdout, stderr } = await this.run([...args, '--json'], given);
    if (code !== 0) throw new Error(`tenure ${args.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout);
  }

  /** A command at a terminal: a real one, made by script(1). */
  terminal(commandLine: string, env: NodeJS.ProcessEnv = {}): Terminal {
    return new Terminal(`stty cols 100 rows 40; ${commandLine}`, { cwd: this.directory, env: { ...this.env, ...env } });
  }

  write(name: string, content: string): Promise<void> {
    return writeFile(path.join(this.directory, name), content);
  }

  /** Changes a file of the desk's. */
  async edit(name: string, change: (text: string) => string): Promise<void> {
    const file = path.join(this.directory, name);
    await writeFile(file, change(await readFile(file, 'utf8')));
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true });
  }
}

/** What stands on a terminal, and the keyboard before it. */
export class Terminal {
  private readonly child;
  private output = '';
  readonly ended: Promise<number | null>;

  constructor(commandLine: string, options: { cwd: string; env: NodeJS.ProcessEnv }) {
    this.child = spawn('script', ['-qefc', commandLine, '/dev/null'], options);
    this.child.stdout.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.ended = once(this.child, 'close').then(([code]) => code as number | null);
  }

  get screen(): string {
    return this.output;
  }

  type(keys: string): void {
    this.child.stdin.write(keys);
  }

  /** @throws Error when it ends without having shown it. */
  async saw(words: string | RegExp): Promise<void> {
    const isThere = () => (typeof words === 'string' ? this.output.includes(words) : words.test(this.output));
    while (!isThere()) {
      if (this.child.exitCode !== null) throw new Error(`It ended with ${this.child.exitCode} and showed: ${this.output}`);
      await Promise.race([once(this.child.stdout, 'data'), this.ended]);
    }
  }
}
