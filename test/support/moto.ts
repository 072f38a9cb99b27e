import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { freePorts } from '../../src/local/ports';
import { installTestTools } from '../../src/local/python';
import { type Leash, Service } from '../../src/local/service';
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
  const folder = await mkdtemp(path.join(os.tmpdir(), 'tenure-moto-'));
  const leash = startLeash();
  const { service, url } = await startSomewhere((port) => motoOn(port, { directory, folder, leash }));
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

interface Listening {
  readonly service: Service;
  readonly url: string;
}

const mostPorts = 3;

/** It takes seconds to start: a port that was free may be a server of another test's by then. */
async function startSomewhere(make: (port: number) => Listening): Promise<Listening> {
  for (let attempt = 1; ; attempt += 1) {
    const { moto: port } = await freePorts(['moto']);
    const listening = make(port);
    try {
      await listening.service.start();
      return listening;
    } catch (error) {
      if (attempt === mostPorts) throw error;
    }
  }
}

function motoOn(port: number, { directory, folder, leash }: { directory: string; folder: string; leash: Leash }): Listening {
  const url = `http://127.0.0.1:${port}`;
  const spec = {
    name: 'moto',
    command: path.join(directory, 'bin/moto_server'),
    args: ['--host', '127.0.0.1', '--port', String(port)],
    env: {},
    logFile: path.join(folder, 'moto.log'),
    restart: false,
    isReady: () => answers(`${url}/moto-api/`),
  };
  return { url, service: new Service(spec, leash) };
}
