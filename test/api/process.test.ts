import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { groups } from '../../src/contracts/names';
import type { SessionRecord } from '../../src/contracts/session';
import { newTenant, signUp } from './accounts';

interface LogLine {
  readonly msg: string;
  readonly port: number;
}

/** The API as it is started in production, from the build. */
function startProcess(env: Record<string, string>): { child: ChildProcess; logged: (msg: string) => Promise<LogLine> } {
  const child = spawn(process.execPath, [path.resolve('dist/api/main.js')], {
    env: { ...process.env, HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const lines: LogLine[] = [];
  const reader = createInterface({ input: child.stdout }).on('line', (line) => void lines.push(JSON.parse(line) as LogLine));
  const logged = async (msg: string): Promise<LogLine> => {
    for (;;) {
      const found = lines.find((line) => line.msg === msg);
      if (found) return found;
      await once(reader, 'line');
    }
  };
  return { child, logged };
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
