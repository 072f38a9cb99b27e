import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../src/local/project-root';
import type { Service } from '../src/local/service';
import { until } from './until';

/** The time of day of one process, which can be set while it runs. */
export interface MovingClock {
  /** What the process needs in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** @param byMs - from the true time. Returns when the process goes by it. */
  move(service: Service, byMs: number): Promise<void>;
}

/** @param file - where it is kept by how much it is moved. */
export async function createMovingClock(file: string): Promise<MovingClock> {
  await writeFile(file, '0');
  return {
    env: { NODE_OPTIONS: `--require ${JSON.stringify(path.join(projectRoot, 'campaign/moved-date.cjs'))}`, MOVING_CLOCK_FILE: file },
    async move(service, byMs) {
      await writeFile(`${file}.next`, String(byMs));
      // At once: what is read while it is written would be no number.
      await rename(`${file}.next`, file);
      await until(`the clock of ${service.name} is moved`, async () => (await readFile(`${file}.${service.pid}`, 'utf8').catch(() => '0')) === String(byMs));
    },
  };
}
