import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A shop outside the platform, as a tool sees it: it places an order once per Idempotency-Key, however often it is
 * asked. The first answer can be withheld: the order is placed, and the caller never hears of it.
 */
export class OrdersServer {
  readonly origin: string;
  readonly firstOrder: Promise<void>;
  requests = 0;
  private readonly orders = new Map<string, string>();
  private withheld: ServerResponse | undefined;
  private orderPlaced: () => void = () => undefined;

  private constructor(private readonly server: ReturnType<typeof createServer>) {
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.firstOrder = new Promise((resolve) => (this.orderPlaced = resolve));
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.answer(request, response));
  }

  static async start(): Promise<OrdersServer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new OrdersServer(server);
  }

  get placed(): number {
    return this.orders.size;
  }

  /** Lets the first caller know after all, if it still waits. */
  answerWithheld(): void {
    if (this.withheld) confirm(this.withheld, 'order-1');
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests += 1;
    const key = String(request.headers['idempotency-key']);
    const isFirst = this.orders.size === 0;
    const order = this.orders.get(key) ?? `order-${this.orders.size + 1}`;
    this.orders.set(key, order);
    request.resume();
    if (isFirst) {
      this.withheld = response;
      this.orderPlaced();
    } else confirm(response, order);
  }
}

function confirm(response: ServerResponse, order: string): void {
  response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ order, status: 'placed' }));
}
