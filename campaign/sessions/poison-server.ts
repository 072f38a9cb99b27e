import { WatchedServer } from '../watched-server';

const bytes: Readonly<Record<string, Buffer>> = {
  '/huge': Buffer.alloc(10_000_000, 'x'),
  '/no-text': Buffer.from([0xff, 0xfe, 0x00, 0xc0, 0x80, 0xed, 0xa0, 0x80]),
  '/nested': Buffer.from('['.repeat(100_000) + ']'.repeat(100_000)),
};

/** A server that tools may call and had better not. */
export const startPoisonServer = (): Promise<WatchedServer> =>
  WatchedServer.start('127.0.0.1', (request, response) => {
    // Who has read enough leaves.
    response.on('error', () => undefined);
    response.writeHead(200, { 'content-type': 'application/json' }).end(bytes[request.url ?? ''] ?? 'null');
  });
