import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

export interface EmulatorRun {
  /** Where it writes a file for each service, when it stops. */
  readonly directory: string;
  readonly logFile: string;
  readonly launchedAtMs: number;
  /** Length of the log when it was launched. */
  readonly logBytes: number;
}

/** To be called before it is launched. */
export async function runBeginning({ directory, logFile }: Pick<EmulatorRun, 'directory' | 'logFile'>): Promise<EmulatorRun> {
  const logBytes = await stat(logFile).then(
    ({ size }) => size,
    () => 0,
  );
  return { directory, logFile, logBytes, launchedAtMs: Date.now() };
}

const complaint = /Persistence: (?:failed to save|error getting state for) (\w+): (.*)/g;

/**
 * The emulator ends as if all were well when it cannot write its state: only its log says so, and on a disk without any room not even that.
 * @returns what is wrong, in words; undefined when all of it is written.
 */
export async function whatIsUnwritten({ directory, logFile, launchedAtMs, logBytes }: EmulatorRun): Promise<string | undefined> {
  const log = (await readFile(logFile).catch(() => Buffer.alloc(0))).subarray(logBytes).toString();
  const complaints = [...log.matchAll(complaint)].map(([, service = '', cause = '']) => `${service} (${cause.trim()})`);
  if (complaints.length > 0) return `it could not write ${complaints.join(', ')}`;
  return (await hasWritten(directory, launchedAtMs)) ? undefined : 'it wrote nothing';
}

async function hasWritten(directory: string, sinceMs: number): Promise<boolean> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith('.json'));
  const written = await Promise.all(names.map(async (name) => (await stat(path.join(directory, name))).mtimeMs >= sinceMs));
  return written.includes(true);
}
