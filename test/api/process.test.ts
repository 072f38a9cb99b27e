import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { createAuditLog } from '../../src/adapters/aws/audit/log';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { loadConfig } from '../../src/config';
import type { AuditEvent } from '../../src/contracts/audit';
import { groups } from '../../src/contracts/names';
import type { SessionRecord } from '../../src/contracts/session';
import { newTenant, signUp } from './accounts';

const audit = createAuditLog(createPlatformClients(loadConfig().aws));

interface LogLine {
  readonly msg: string;
  readonly port: number;
}

/** The API as it is started in production, from the build. */
function startProcess(env: Record<string, string>): { child: ChildProcess; logged: (msg: string) => Promise<LogLine>; said: readonly string[] } {
  const child = spawn(process.execPath, [path.resolve('dist/api/main.js')], {
    env: { ...process.env, HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'info', NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: LogLine[] = [];
  const said: string[] = [];
  const read = (line: string) => {
    said.push(line);
    if (line.startsWith('{')) lines.push(JSON.parse(line) as LogLine);
  };
  createInterface({ input: child.stderr }).on('line', read);
  const reader = createInterface({ input: child.stdout }).on('line', read);
  const logged = async (msg: string): Promise<LogLine> => {
    for (;;) {
      const found = lines.find((line) => line.msg === msg);
      if (found) return found;
      await once(reader, 'line');
    }
  };
  return { child, logged, said };
}

it.each(['SIGTERM', 'SIGINT'] as const)('ends its streams and itself on %s, within five seconds', async (signal) => {
  const tenant = await newTenant();
  const { accessToken } = await signUp(tenant, [groups.members]);
  const headers = { authorization: `Bearer ${accessToken}` };
  const { child, logged } = startProcess({});
  const { port } = await logged('listening');
  const sessions = `http://127.0.0.1:${port}/api/v1/tenants/${tenant.tenantId}/sessions`;
  const { sessionId } = (await (await fetch(sessions, { method: 'POST', headers })).json()) as SessionRecord;
  const stream = await fetch(`${sessions}/${sessionId}/events`, { headers: { ...headers, accept: 'text/event-stream' } });

  const askedAt = performance.now();
  child.kill(signal);
  const [[exitCode], text] = await Promise.all([once(child, 'exit') as Promise<[number | null]>, stream.text()]);
  expect([exitCode, text]).toEqual([0, expect.stringContaining('retry: 1000')]);
  expect(performance.now() - askedAt).toBeLessThan(5_000);
});

it('takes a reader that hangs up in the middle of an export for no error, and logs nothing but JSON', async () => {
  const tenant = await newTenant();
  const { accessToken } = await signUp(tenant, [groups.administrators]);
  const event: AuditEvent = { at: new Date().toISOString(), actor: { kind: 'anonymous' }, action: 'a test', object: 'x'.repeat(4_000), outcome: 'done' };
  // More than sockets hold.
  for (let batch = 0; batch < 30; batch += 1) await audit.append(tenant.tenantId, Array.from({ length: 80 }, () => event));
  const { child, logged, said } = startProcess({});
  const { port } = await logged('listening');
  const request = get(`http://127.0.0.1:${port}/api/v1/tenants/${tenant.tenantId}/audit/export`, { headers: { authorization: `Bearer ${accessToken}` } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  await once(response, 'readable');
  response.destroy();
  expect(await logged('request')).toMatchObject({ status: 200, cutShort: true });
  child.kill('SIGTERM');
  await once(child, 'close');
  expect(said.filter((line) => !line.startsWith('{') || line.includes('"level":50'))).toEqual([]);
});

it('logs what Node.js says, and the error that nobody caught, as it logs all else', async () => {
  const onSignal = 'process.once("SIGUSR2",()=>{process.emitWarning("odd");setImmediate(()=>{throw(new(Error)("odder"))})})';
  const { child, logged, said } = startProcess({ NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(onSignal)}` });
  await logged('listening');
  child.kill('SIGUSR2');
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(said.filter((line) => !line.startsWith('{'))).toEqual([]);
  expect(await logged('warning of Node.js')).toMatchObject({ level: 40, err: { message: 'odd' } });
  expect(await logged('nobody caught this')).toMatchObject({ level: 60, err: { message: 'odder' } });
});

it('answers 503 while AWS is away', async () => {
  const { child, logged } = startProcess({ AWS_ENDPOINT_URL: 'http://127.0.0.1:1' });
  const { port } = await logged('listening');
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/tenants/acme/sessions`, { headers: { authorization: 'Bearer a.b.c' } });
  expect([response.status, response.headers.has('retry-after')]).toEqual([503, true]);
  expect(await response.json()).toMatchObject({ code: 'dependency/unavailable', retryable: true });
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

it('does not start with a bad configuration, and says all that is bad about it', async () => {
  const { child, logged } = startProcess({ PORT: 'high', VALKEY_URL: '' });
  const [exitCode] = (await once(child, 'exit')) as [number | null];
  expect(exitCode).toBe(1);
  expect(await logged('the api could not go on')).toMatchObject({ err: { message: expect.stringContaining('PORT') as string } });
});
