import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { freePorts } from '../../src/local/ports';
import { installTestTools } from '../../src/local/python';
import { Service } from '../../src/local/service';
import { answers, startLeash } from '../../src/local/stack';

export interface Moto {
  readonly url: string;
  /** Where its Python packages lie; AWS's models of its services are among them. */
  readonly packages: string;
  stop(): Promise<void>;
}

/** A server of services that the local stack lacks, for tests alone. Installed once, beside the stack's own packages. */
export async function startMoto(): Promise<Moto> {
  const directory = await installTestTools((line) => void process.stderr.write(`  ${line}\n`));
  const { moto: port } = await freePorts(['moto']);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tenure-moto-'));
  const url = `http://127.0.0.1:${port}`;
  const leash = startLeash();
  const service = new Service(
    {
      name: 'moto',
      command: path.join(directory, 'bin/moto_server'),
      args: ['--host', '127.0.0.1', '--port', String(port)],
      env: {},
      logFile: path.join(folder, 'moto.log'),
      restart: false,
      isReady: () => answers(`${url}/moto-api/`),
    },
    leash,
  );
  await service.start();
  const [python = ''] = readdirSync(path.join(directory, 'lib'));
  return {
    url,
    packages: path.join(directory, 'lib', python, 'site-packages'),
    async stop() {
      await service.stop();
      leash.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
