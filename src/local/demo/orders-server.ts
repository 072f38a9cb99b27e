import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A shop outside the platform, as a tool sees it: it places an order once per Idempotency-Key, however often it is
 * asked. Answers can be withheld, as the first one is: the order is placed, and the caller never hears of it.
 */
export class OrdersServer {
  readonly origin: string;
  readonly firstOrder: Promise<void>;
  requests = 0;
  private readonly orders = new Map<string, string>();
  private withheld: (() => void)[] = [];
  private withholding: { left: number; readonly done: () => void } = { left: 0, done: () => undefined };

  private constructor(private readonly server: ReturnType<typeof createServer>) {
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.firstOrder = this.withholdNext(1);
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

  /** The next new orders are placed, and their callers do not hear of it. @returns when so many were. */
  withholdNext(count: number): Promise<void> {
    return new Promise((done) => (this.withholding = { left: count, done }));
  }

  /** Lets those callers know after all that still wait. */
  answerWithheld(): void {
    for (const answer of this.withheld.splice(0)) answer();
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests += 1;
    const key = String(request.headers['idempotency-key']);
    const isNew = !this.orders.has(key);
    const order = this.orders.get(key) ?? `order-${this.orders.size + 1}`;
    this.orders.set(key, order);
    request.resume();
    if (!isNew || this.withholding.left === 0) {
      confirm(response, order);
      return;
    }
    this.withheld.push(() => confirm(response, order));
    this.withholding.left -= 1;
    if (this.withholding.left === 0) this.withholding.done();
  }
}

function confirm(response: ServerResponse, order: string): void {
  response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ order, status: 'placed' }));
}
