import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createValkey, type Valkey } from '../../../src/adapters/valkey/connection';
import { freePorts } from '../../../src/local/ports';
import { installLocalTools } from '../../../src/local/python';
import { startLeash, valkeyService } from '../../../src/local/stack';
import { createLogger } from '../../../src/logging';

export const quiet = createLogger('api', 'silent');

/** A Valkey of the test's own, to be killed; clients come back to the same port. */
export async function ownValkey() {
  const stateDir = await mkdtemp(path.join(os.tmpdir(), 'tenure-valkey-'));
  await mkdir(path.join(stateDir, 'logs'));
  const ports = await freePorts(['valkey']);
  const leash = startLeash();
  const options = { stateDir, keepsState: false, restart: false, onProgress: () => undefined };
  const server = valkeyService(await installLocalTools({ onProgress: () => undefined }), ports, options, leash);
  await server.start();
  return {
    url: `redis://127.0.0.1:${ports.valkey}`,
    server,
    async end(): Promise<void> {
      await server.stop();
      leash.end();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

/** Connected: commands fail at once before that. */
export async function connected(url: string): Promise<Valkey> {
  const valkey = createValkey(url, quiet);
  await untilAnswers(valkey);
  return valkey;
}

/** Nobody helps: it has to come back by itself. */
export async function untilAnswers({ commands, dependency }: Valkey): Promise<void> {
  for (;;) {
    try {
      await dependency.check();
      return;
    } catch {
      if (commands.status !== 'ready') await new Promise((resolve) => commands.once('ready', resolve));
    }
  }
}
