import { appendFileSync } from 'node:fs';
import v8 from 'node:v8';
import vm from 'node:vm';
import { isMainThread } from 'node:worker_threads';
import { samplesFile } from './samples';

/**
 * Loaded into a process from outside (`NODE_OPTIONS=--require …`): notes once a second what the process holds. What is garbage does not
 * count, so it is collected first; the resident set is what the operating system says.
 */
const file = process.env[samplesFile];
// Threads of the process load it, too.
if (file !== undefined && isMainThread) {
  v8.setFlagsFromString('--expose-gc');
  const collectGarbage = vm.runInNewContext('gc') as () => void;
  setInterval(() => {
    collectGarbage();
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
    appendFileSync(file, `${JSON.stringify({ at: Date.now(), rss, heapUsed, arrayBuffers })}\n`);
  }, 1_000).unref();
}
