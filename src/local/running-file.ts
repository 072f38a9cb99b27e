import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Notes that this process runs the stack: its id, and when it began, as ids are given again after a restart of the machine. */
export async function noteRunning(file: string): Promise<void> {
  await writeFile(file, `${process.pid} ${await beginningOf(process.pid)}`);
}

/** @returns the id of the process that noted itself in the file and still runs. */
export async function whoRuns(file: string): Promise<number | undefined> {
  const [, pid, beginning] = /^(\d+) (.*)$/.exec(await readFile(file, 'utf8').catch(() => '')) ?? [];
  if (pid === undefined) return undefined;
  return (await beginningOf(Number(pid))) === beginning ? Number(pid) : undefined;
}

/** Linux counts ticks since it was booted, and names each boot: unlike a time of day, they do not move with the clock. @returns undefined when no such process runs. */
async function beginningOf(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return beginningByPs(pid);
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // Behind the program's name, which may hold anything, the start is the twentieth field.
  const ticks = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return ticks && `${(await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()} ${ticks}`;
}

const beginningByPs = (pid: number): Promise<string | undefined> =>
  promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)], { env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' } }).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
