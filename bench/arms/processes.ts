import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import path from 'node:path';
import type { Readable } from 'node:stream';

export interface BenchProcess {
  readonly pid: number;
  /** The port it says it listens on; 0 for one that listens nowhere. */
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Starts one of the arms' own scripts; it says `ready`, with its port, when it is.
 * @param file - beside this one, or its full path.
 */
export async function startScript(file: string, env: Readonly<Record<string, string>>): Promise<BenchProcess> {
  const child = spawn(process.execPath, [path.resolve(__dirname, file)], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await lineOf(child, { name: path.basename(file), output: child.stdout, saying: /^ready\b/ });
  return { pid: child.pid ?? 0, port: Number(line.split(' ')[1] ?? 0), stop: () => stopProcess(child, 'SIGTERM') };
}

export interface Awaited {
  /** Of the process, for people. */
  readonly name: string;
  readonly output: Readable;
  readonly saying: RegExp;
}

/** Waits for what a process says. @throws Error with its last lines when it ends before, or cannot be started. */
export function lineOf(child: ChildProcess, { name, output, saying }: Awaited): Promise<string> {
  return new Promise((resolve, reject) => {
    let lastLines: string[] = [];
    createInterface({ input: output }).on('line', (line) => {
      lastLines = [...lastLines, line].slice(-10);
      if (saying.test(line)) resolve(line);
    });
    child.once('error', (error) => reject(new Error(`${name} cannot be started: ${error.message}`)));
    child.once('close', (code, signal) => reject(new Error([`${name} ended with ${code ?? signal ?? 'nothing'}`, ...lastLines].join('\n'))));
  });
}

/** Asks it to end, and ends it when it does not. */
export async function stopProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  const forced = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await exited;
  clearTimeout(forced);
}
