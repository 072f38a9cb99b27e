import { existsSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';

/**
 * The last step of a build, run from the new one: it takes the place of the one before, all at once. A stack may run from that
 * one, and starts a process of it again when one dies.
 */
function replaceBuild(build: string, place: string): void {
  const before = '.before';
  if (existsSync(place)) renameSync(place, path.join(build, before));
  renameSync(build, place);
  rmSync(path.join(place, before), { recursive: true, force: true });
}

replaceBuild(path.join(__dirname, '..'), path.resolve('dist'));
