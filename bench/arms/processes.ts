import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import path from 'node:path';

export interface BenchProcess {
  readonly pid: number;
  /** The port it says it listens on; 0 for one that listens nowhere. */
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts one of the arms' own scripts; it says `ready`, with its port, when it is. */
export async function startScript(name: string, env: Readonly<Record<string, string>>): Promise<BenchProcess> {
  const child = spawn(process.execPath, [path.join(__dirname, `${name}.js`)], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code ?? 'a signal'}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [word, value] = line.split(' ');
      if (word === 'ready') resolve(Number(value ?? 0));
    });
  });
  return {
    pid: child.pid ?? 0,
    port,
    async stop() {
      child.kill('SIGTERM');
      const forced = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await exited;
      clearTimeout(forced);
    },
  };
}
