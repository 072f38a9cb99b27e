import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdapters } from '../composition';
import { loadConfig } from '../config';
import { createLogger } from '../logging';
import { version } from '../../package.json';
import { createApp } from './app';

/** Open requests get this long to finish. */
const stopWithinMs = 5_000;

/** Composition root of the API. */
async function main(): Promise<void> {
  const config = loadConfig();
  const logger = createLogger('api', config.logLevel);
  const adapters = createAdapters(config, logger);
  const stopping = new AbortController();
  const app = createApp({
    ...adapters,
    logger,
    version,
    stopping: stopping.signal,
    toolNames: adapters.toolbox.names,
    maxBodyBytes: config.api.maxBodyBytes,
    answerTimeoutMs: config.api.answerTimeoutMs,
  });
  const server = createServer(app).listen(config.api.port, config.api.host);
  await once(server, 'listening');
  logger.info({ port: (server.address() as AddressInfo).port }, 'listening');

  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  logger.info('stopping: no new requests, open streams end, readers come back with their cursor');
  server.close();
  stopping.abort();
  const forced = setTimeout(() => server.closeAllConnections(), stopWithinMs);
  server.closeIdleConnections();
  await once(server, 'close');
  clearTimeout(forced);
  await adapters.close();
  logger.info('stopped');
}

process.on('unhandledRejection', (error) => {
  createLogger('api', 'fatal').fatal({ err: error }, 'unhandled rejection');
  process.exit(1);
});

main().catch((error: unknown) => {
  createLogger('api', 'fatal').fatal({ err: error }, 'the api could not go on');
  process.exit(1);
});
