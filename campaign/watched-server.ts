import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that remembers who called. */
export class WatchedServer {
  readonly seen: string[] = [];

  private constructor(private readonly server: Server, private readonly host: string) {}

  static async start(host: string, answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<WatchedServer> {
    const watched: WatchedServer = new WatchedServer(
      createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          watched.seen.push(`${request.method ?? ''} ${request.url ?? ''} ${Buffer.concat(chunks).toString()}`);
          answer(request, response);
        });
      }),
      host,
    );
    await once(watched.server.listen(0, host), 'listening');
    return watched;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `http://${this.host}:${this.port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}
