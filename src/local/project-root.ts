import { existsSync } from 'node:fs';
import path from 'node:path';

/** The project's folder, wherever below it this runs from: sources, the build, a build of the benchmarks. */
export const projectRoot = ((): string => {
  let directory = __dirname;
  while (!existsSync(path.join(directory, 'requirements-local.txt')) && directory !== path.dirname(directory)) directory = path.dirname(directory);
  return directory;
})();
