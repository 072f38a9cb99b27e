import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { freePorts } from '../../src/local/ports';
import { projectRoot } from '../../src/local/project-root';
import { installPackages } from '../../src/local/python';
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
  const directory = path.join(projectRoot, '.tenure/venv-test');
  const onProgress = (line: string) => void process.stderr.write(`  ${line}\n`);
  await installPackages({ directory, env: process.env, requirements: 'requirements-test.txt', what: "moto's server, for tests (once; about 320 MB)", onProgress });
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
