import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { DockerfileParser } from 'dockerfile-ast';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config';

const root = path.join(__dirname, '../..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

interface Service {
  readonly image?: string;
  readonly build?: { readonly target: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, unknown>>;
}
const { services } = parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, Service> };
const dockerfile = DockerfileParser.parse(read('Dockerfile'));
const stages = dockerfile.getFROMs().map((from) => from.getBuildStage());

it('has a compose file that fits the schema and the linter’s rules', () => {
  const linter = path.join(path.dirname(require.resolve('dclint/package.json')), 'bin/dclint.cjs');
  // It exits with 1, and says why, when the file does not fit.
  expect(execFileSync(process.execPath, [linter, 'docker-compose.yml'], { cwd: root, encoding: 'utf8' })).not.toContain('error');
});

it('runs the same parts as the local stack', () => {
  expect(Object.keys(services).sort()).toEqual(['api', 'aws', 'bootstrap', 'model', 'postgres', 'temporal', 'temporal-ui', 'valkey', 'worker']);
  for (const { image, build } of Object.values(services)) {
    if (build) expect(stages).toContain(build.target);
    else expect(image).toMatch(/:\d+\.\d+/);
  }
});

it.each(['api', 'worker', 'bootstrap'])('gives %s settings it understands', (name) => {
  const environment = services[name]?.environment ?? {};
  const config = loadConfig(environment);
  expect(config.temporal.address).toBe('temporal:7233');
  expect(config.aws).toMatchObject({ endpoint: 'http://aws:4566', bedrockEndpoint: 'http://model:8089' });
  expect(config.valkey.url).toBe('redis://valkey:6379');
});

it('makes an operator, keeps what tenants store, and lets the Temporal UI read', () => {
  expect(loadConfig(services['bootstrap']?.environment).firstOperator).toEqual({ email: 'operator@tenure.local', password: expect.any(String) as unknown });
  expect(services['aws']?.environment).toMatchObject({ PERSIST_STATE: '1', STATE_DIR: '/state', S3_PERSIST: '1', S3_DATA_DIR: '/state/s3' });
  expect(loadConfig(services['api']?.environment)).toMatchObject({ keyRotation: 'data-keys', temporal: { uiUrl: 'http://127.0.0.1:8233' } });
});

it('waits for services there are', () => {
  for (const { depends_on: others = {} } of Object.values(services)) for (const other of Object.keys(others)) expect(services).toHaveProperty(other);
});

it('starts scripts the build makes', () => {
  for (const { command } of Object.values(services)) {
    const script = command?.find((word) => word.startsWith('dist/'));
    if (script) expect(() => read(script.replace(/^dist/, 'src').replace(/\.js$/, '.ts'))).not.toThrow();
  }
});

it('builds an image that runs as nobody special, from pinned bases', () => {
  for (const from of dockerfile.getFROMs()) expect(from.getImage()).toMatch(/:\d+\.\d+\.\d+/);
  const last = dockerfile.getInstructions().findLast((instruction) => instruction.getKeyword() === 'USER');
  expect(last?.getArgumentsContent()).toBe('node');
});
