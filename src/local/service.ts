import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { EmulatorRun } from './emulator-state';

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
  /** Of an emulator that has to write its state when it ends. */
  readonly run?: EmulatorRun;
  /** Told, in words for people, when it dies by itself once it was ready. */
  readonly onDeath?: (words: string) => void;
}

/** Told of every process that must not outlive this one. */
export interface Leash {
  /** @param run - of an emulator that has to write its state when it ends. */
  hold(pid: number, run?: EmulatorRun): void;
  release(pid: number): void;
}

const readyWithinMs = 60_000;
const pollMs = 50;
/** A service that must write its state takes a moment; one that hangs does not get for ever. */
const stopWithinMs = 10_000;
const restartAfterMs = 200;
/** One that keeps dying is started again ever more rarely, until it has lived for a while. */
const longestRestartPauseMs = 10_000;
const settledAfterMs = 10_000;

/** Settings of the developer's own AWS, Temporal, Valkey or tenants: a local service that read them would work on the real ones. */
export const isForeignSetting = (name: string): boolean => /^(AWS|TEMPORAL|VALKEY|AGENT|EGRESS|SCALING|ALARM)_/.test(name);

const inheritedEnvironment = (): NodeJS.ProcessEnv => Object.fromEntries(Object.entries(process.env).filter(([name]) => !isForeignSetting(name)));

/** One process of the local stack: started, watched, restarted, stopped. */
export class Service {
  private child: ChildProcess | undefined;
  private isWanted = false;
  private wasReady = false;
  private spawnError: Error | undefined;
  private restartPauseMs = restartAfterMs;

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
    try {
      await this.untilReady();
    } catch (error) {
      // A port that a service chose for itself may have been somebody else's a moment later.
      if (this.isRunning || this.spawnError || this.wasStopped) throw error;
      this.launch();
      await this.untilReady();
    }
    this.wasReady = true;
  }

  private async untilReady(): Promise<void> {
    for (const giveUpAtMs = performance.now() + readyWithinMs; ; ) {
      if (await this.spec.isReady().catch(() => false)) return;
      if (!this.isRunning || performance.now() > giveUpAtMs) throw new Error(await this.whyNot());
      await delay(pollMs);
    }
  }

  /**
   * Asks it to end, and ends it when it does not; SIGKILL ends it without a word.
   * @returns how it ended, in words, unless that was in order.
   */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<string | undefined> {
    this.isWanted = false;
    const { child } = this;
    if (child?.pid === undefined) return undefined;
    if (this.isRunning) {
      const exited = once(child, 'exit');
      child.kill(signal);
      const forced = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
      await exited;
      clearTimeout(forced);
    }
    if (child.signalCode === 'SIGKILL') return `it was killed (it has ${stopWithinMs / 1_000} s to end)`;
    return child.exitCode === 0 ? undefined : `it ended with ${child.signalCode ?? `exit code ${child.exitCode ?? 'unknown'}`}`;
  }

  kill(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  private get wasStopped(): boolean {
    return !this.isWanted;
  }

  private get isReviving(): boolean {
    return this.spec.restart && this.isWanted && this.wasReady;
  }

  private launch(): void {
    const { command, args, env, logFile } = this.spec;
    const log = openSync(logFile, 'a');
    // In a group of its own: Ctrl-C on the terminal is the supervisor's to pass on, in order.
    const child = spawn(command, args, { env: { ...inheritedEnvironment(), ...env }, stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    this.child = child;
    const { pid } = child;
    if (pid !== undefined) this.leash.hold(pid, this.spec.run);
    const launchedAtMs = performance.now();
    child.once('exit', (code, signal) => {
      if (pid !== undefined) this.leash.release(pid);
      if (this.isWanted && this.wasReady) this.mourn(signal ?? `exit code ${code ?? 'unknown'}`, performance.now() - launchedAtMs);
    });
    child.once('error', (error) => (this.spawnError = error));
  }

  private mourn(cause: string, livedMs: number): void {
    if (livedMs > settledAfterMs) this.restartPauseMs = restartAfterMs;
    const pauseMs = this.restartPauseMs;
    this.restartPauseMs = Math.min(pauseMs * 2, longestRestartPauseMs);
    const next = this.spec.restart ? ` It is started again in ${pauseMs / 1_000} s.` : '';
    this.spec.onDeath?.(`${this.name} ended by itself (${cause}); its log is ${this.spec.logFile}.${next}`);
    if (this.isReviving) setTimeout(() => this.isReviving && !this.isRunning && this.launch(), pauseMs);
  }

  private async whyNot(): Promise<string> {
    if (this.spawnError) return `${this.name} cannot be started: ${this.spawnError.message}`;
    const lines = (await readFile(this.spec.logFile, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-15);
    const what = this.isRunning ? 'does not answer' : 'ended';
    return `${this.name} ${what}. The end of ${this.spec.logFile}:\n${lines.map((line) => `  ${line}`).join('\n')}`;
  }
}
