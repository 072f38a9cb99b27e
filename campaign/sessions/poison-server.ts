import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const bytes: Readonly<Record<string, Buffer>> = {
  '/huge': Buffer.alloc(10_000_000, 'x'),
  '/no-text': Buffer.from([0xff, 0xfe, 0x00, 0xc0, 0x80, 0xed, 0xa0, 0x80]),
  '/nested': Buffer.from('['.repeat(100_000) + ']'.repeat(100_000)),
};

/** A server that tools may call and had better not. */
export class PoisonServer {
  private constructor(private readonly server: Server) {}

  static async start(): Promise<PoisonServer> {
    const server = createServer((request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      // Who has read enough leaves.
      response.on('error', () => undefined);
      response.end(bytes[request.url ?? ''] ?? 'null');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new PoisonServer(server);
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}
