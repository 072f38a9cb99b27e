import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { type ActiveRule, Rule, type RuleBook } from './rules';

/** Programs the proxies by HTTP, for a person with curl: `POST /rules`, `GET /rules`, `DELETE /rules/{id}`. */
export class WireControl {
  private readonly server: Server = createServer((request, response) => {
    this.handle(request)
      .catch((error: unknown) => [400, { error: error instanceof z.ZodError ? z.prettifyError(error) : String(error) }] as const)
      .then(([status, body]) => response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`))
      .catch(() => response.destroy());
  });

  constructor(private readonly rules: RuleBook) {}

  /** @returns its URL. */
  async start(port = 0): Promise<string> {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async handle(request: IncomingMessage): Promise<readonly [status: number, body: unknown]> {
    const id = /^\/rules\/(\d+)$/.exec(request.url ?? '')?.[1];
    if (request.method === 'DELETE' && id !== undefined) return this.remove(Number(id));
    if (request.url !== '/rules') return [404, { error: 'POST /rules, GET /rules, DELETE /rules/{id}' }];
    if (request.method === 'POST') return [201, shown(this.rules.add(Rule.parse(JSON.parse(await textOf(request)))))];
    return [200, this.rules.all().map(shown)];
  }

  private remove(id: number): readonly [number, unknown] {
    const rule = this.rules.find(id);
    rule?.remove();
    return rule ? [200, shown(rule)] : [404, { error: `There is no rule ${id}.` }];
  }
}

const shown = ({ id, hits, rule }: ActiveRule) => ({ id, hits, ...rule });

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
