import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdapters } from '../composition';
import { loadConfig } from '../config';
import { createLogger, logForNode } from '../logging';
import { version } from '../../package.json';
import { createApp } from './app';
import { AuditTrail } from './audit-trail';
import { TrafficReporter } from './traffic-reporter';
import { answerUnreadable } from './unreadable-requests';

/** Open requests get this long to finish; the process has ended a second later. */
const stopWithinMs = 4_000;

/** Composition root of the API. */
async function main(): Promise<void> {
  const config = loadConfig();
  const logger = createLogger('api', config.logLevel);
  const adapters = createAdapters(config, logger);
  const stopping = new AbortController();
  const traffic = new TrafficReporter({ metrics: adapters.metrics, intervalMs: config.api.metricsIntervalMs, logger });
  const trail = new AuditTrail({ audit: adapters.audit, registry: adapters.registry, intervalMs: config.api.auditIntervalMs, logger });
  const app = createApp({
    ...adapters,
    logger,
    version,
    stopping: stopping.signal,
    traffic,
    trail,
    toolNames: adapters.toolbox.names,
    ...config.api,
  });
  const server = answerUnreadable(createServer(app), logger).listen(config.api.port, config.api.host);
  await once(server, 'listening');
  traffic.start();
  trail.start();
  logger.info({ port: (server.address() as AddressInfo).port }, 'listening');

  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  logger.info('stopping: no new requests, open streams end, readers come back with their cursor');
  stopping.abort();
  await drained(server);
  await Promise.all([traffic.stop(), trail.stop()]);
  await adapters.close();
  logger.info('stopped');
}

/** No new connections; each open one ends once its request is answered. */
async function drained(server: Server): Promise<void> {
  server.close();
  // A connection kept alive becomes idle only after its answer, and would stay open for its client's next request.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  const forced = setTimeout(() => server.closeAllConnections(), stopWithinMs);
  await once(server, 'close');
  clearInterval(sweep);
  clearTimeout(forced);
}

logForNode('api');

main().catch((error: unknown) => {
  createLogger('api', 'fatal').fatal({ err: error }, 'the api could not go on');
  process.exit(1);
});
