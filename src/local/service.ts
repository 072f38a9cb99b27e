import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

export interface ServiceSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Its output; the end of it is quoted when the service does not start. */
  readonly logFile: string;
  /** Whether it answers. May reject: that means not yet. */
  readonly isReady: () => Promise<boolean>;
  /** Starts it again when it dies by itself, once it was ready. */
  readonly restart: boolean;
}

/** Told of every process that must not outlive this one. */
export interface Leash {
  hold(pid: number): void;
  release(pid: number): void;
}

const readyWithinMs = 60_000;
const pollMs = 50;
/** A service that must write its state takes a moment; one that hangs does not get for ever. */
const stopWithinMs = 10_000;
const restartAfterMs = 200;

/** One process of the local stack: started, watched, restarted, stopped. */
export class Service {
  private child: ChildProcess | undefined;
  private isWanted = false;
  private wasReady = false;
  private spawnError: Error | undefined;

  constructor(
    private readonly spec: ServiceSpec,
    private readonly leash: Leash,
  ) {}

  get name(): string {
    return this.spec.name;
  }

  /** @throws Error when it does not run. */
  get pid(): number {
    const pid = this.child?.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  get isRunning(): boolean {
    return this.child?.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** @throws Error with the end of its log when it ends or does not answer in time. */
  async start(): Promise<void> {
    this.isWanted = true;
    this.wasReady = false;
    this.launch();
    await this.untilReady();
    this.wasReady = true;
  }

  private async untilReady(): Promise<void> {
    for (const giveUpAtMs = Date.now() + readyWithinMs; ; ) {
      if (await this.spec.isReady().catch(() => false)) return;
      if (!this.isRunning || Date.now() > giveUpAtMs) throw new Error(await this.whyNot());
      await delay(pollMs);
    }
  }

  /** Asks it to end, and ends it when it does not; SIGKILL ends it without a word. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.isWanted = false;
    const { child } = this;
    if (!child || !this.isRunning) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    const forced = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
    await exited;
    clearTimeout(forced);
  }

  kill(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  private get isReviving(): boolean {
    return this.spec.restart && this.isWanted && this.wasReady;
  }

  private launch(): void {
    const { command, args, env, logFile } = this.spec;
    const log = openSync(logFile, 'a');
    // In a group of its own: Ctrl-C on the terminal is the supervisor's to pass on, in order.
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    this.child = child;
    const { pid } = child;
    if (pid !== undefined) this.leash.hold(pid);
    child.once('exit', () => {
      if (pid !== undefined) this.leash.release(pid);
      if (this.isReviving) setTimeout(() => this.isReviving && !this.isRunning && this.launch(), restartAfterMs);
    });
    child.once('error', (error) => (this.spawnError = error));
  }

  private async whyNot(): Promise<string> {
    if (this.spawnError) return `${this.name} cannot be started: ${this.spawnError.message}`;
    const lines = (await readFile(this.spec.logFile, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-15);
    const what = this.isRunning ? 'does not answer' : 'ended';
    return `${this.name} ${what}. The end of ${this.spec.logFile}:\n${lines.map((line) => `  ${line}`).join('\n')}`;
  }
}
