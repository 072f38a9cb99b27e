import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type AppDeps, createApp } from '../../src/api/app';
import type { Problem } from '../../src/api/problem';
import { AuditTrail } from '../../src/api/audit-trail';
import { answerUnreadable } from '../../src/api/unreadable-requests';
import { TrafficReporter } from '../../src/api/traffic-reporter';
import { type Adapters, createAdapters } from '../../src/composition';
import { loadConfig } from '../../src/config';
import { createLogger } from '../../src/logging';
import type { Dependency } from '../../src/ports/readiness';

export interface RunningApi {
  readonly adapters: Adapters;
  readonly deps: AppDeps;
  readonly url: string;
  send<Body = Partial<Problem>>(path: string, request?: ApiRequest): Promise<Answer<Body>>;
  stop(): Promise<void>;
}

export interface ApiRequest {
  readonly method?: string;
  readonly token?: string | undefined;
  /** Sent as JSON; a string or bytes as they are. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a test expects to find in the body is its to say; a problem by default. */
export interface Answer<Body = Partial<Problem>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** The app on a free port, with the adapters of production against the shared stack. */
export async function startApi(changes: Partial<AppDeps> = {}): Promise<RunningApi> {
  const config = loadConfig();
  const logger = createLogger('api', config.logLevel);
  const adapters = createAdapters(config, logger);
  const stopping = new AbortController();
  const traffic = new TrafficReporter({ metrics: adapters.metrics, intervalMs: config.api.metricsIntervalMs, logger });
  const trail = new AuditTrail({ audit: adapters.audit, registry: adapters.registry, intervalMs: 50, logger });
  trail.start();
  const deps: AppDeps = {
    ...adapters,
    logger,
    version: '0.0.0',
    stopping: stopping.signal,
    traffic,
    trail,
    toolNames: adapters.toolbox.names,
    ...config.api,
    // All tests ask from one address: those of the limits set their own.
    publicRate: { requestsPerMinute: 1_000_000, burst: 1_000_000 },
    failuresPerMinute: 1_000_000,
    ...changes,
  };
  const server = answerUnreadable(createServer(createApp(deps)), logger).listen(0, '127.0.0.1');
  await Promise.all([once(server, 'listening'), ...adapters.dependencies.map(untilItAnswers)]);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    adapters,
    deps,
    url,
    send: (path, request) => send(url + path, request),
    async stop() {
      stopping.abort();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
      await Promise.all([traffic.stop(), trail.stop()]);
      await adapters.close();
    },
  };
}

/** As a balancer does, which sends nobody to a process that is not ready. */
async function untilItAnswers(dependency: Dependency): Promise<void> {
  while (!(await dependency.check().then(() => true, () => false))) await delay(5);
}

async function send<Body>(url: string, { method = 'GET', token, body, headers }: ApiRequest = {}): Promise<Answer<Body>> {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array;
  const response = await fetch(url, {
    method: method.toUpperCase(),
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: isRaw ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text === '' ? {} : JSON.parse(text)) as Body };
}
