import { once } from 'node:events';
import { createServer, type IncomingMessage, request as httpRequest, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeAwsRequest, type RawRequest, refusalOf } from './aws-requests';
import type { ActiveRule, Fault, RuleBook } from './rules';

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/**
 * Stands between AWS's SDK and an endpoint, and does to requests what the rules say. Headers pass as they are: the signature
 * covers the host name that the client believes it speaks with.
 */
export class AwsProxy {
  private readonly server: Server = createServer((request, response) => {
    this.handle(request, response).catch(() => response.destroy());
  });

  constructor(
    private readonly upstream: string,
    private readonly rules: RuleBook,
  ) {}

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

  private async handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request: RawRequest = { method: message.method ?? 'GET', url: message.url ?? '/', headers: message.headers, body: await bodyOf(message) };
    const rule = await this.rules.take(describeAwsRequest(request));
    if (rule) await this.spoil(rule, request, response);
    else await this.pass(request, response);
  }

  private async spoil(rule: ActiveRule, request: RawRequest, response: ServerResponse): Promise<void> {
    const { fault } = rule.rule;
    switch (fault.kind) {
      case 'refuse': {
        const { status, headers, body } = refusalOf(request, fault);
        response.writeHead(status, headers).end(body);
        return;
      }
      case 'lose-answer':
        await this.ask(request);
        response.destroy();
        return;
      case 'never-answer':
        return;
      case 'hold':
        await this.hold(rule, fault, request, response);
        return;
      case 'rewrite':
        give(response, rewritten(await this.ask(request), fault));
        return;
    }
  }

  private async hold(rule: ActiveRule, { effect }: Fault & { kind: 'hold' }, request: RawRequest, response: ServerResponse): Promise<void> {
    const answer = effect ? await this.ask(request) : undefined;
    await rule.held();
    // Whoever asked may be gone: then nothing of it happens later.
    if (response.destroyed) return;
    give(response, answer ?? (await this.ask(request)));
  }

  /** As a stream: answers of a model come word by word. */
  private async pass(request: RawRequest, response: ServerResponse): Promise<void> {
    const upstream = await this.send(request);
    response.writeHead(upstream.statusCode ?? 502, upstream.headers);
    response.on('close', () => upstream.destroy());
    upstream.pipe(response);
    upstream.on('error', () => response.destroy());
  }

  private async ask(request: RawRequest): Promise<Answer> {
    const upstream = await this.send(request);
    return { status: upstream.statusCode ?? 502, headers: upstream.headers, body: await bodyOf(upstream) };
  }

  private async send({ method, url, headers, body }: RawRequest): Promise<IncomingMessage> {
    const { hostname, port } = new URL(this.upstream);
    // The body is here already: nobody waits for leave to send it.
    const sent = { ...without(headers, 'expect', 'transfer-encoding'), 'content-length': body.byteLength };
    const request = httpRequest({ hostname, port, method, path: url, headers: sent, agent: false });
    request.end(body);
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    return answer;
  }
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function give(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...without(headers, 'transfer-encoding'), 'content-length': body.byteLength }).end(body);
}

const without = (headers: IncomingMessage['headers'], ...names: readonly string[]): IncomingMessage['headers'] =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));

const rewritten = ({ status, headers, body }: Answer, { replace }: Fault & { kind: 'rewrite' }): Answer => ({
  status,
  headers,
  body: Buffer.from(replace.reduce((text, { from, to }) => text.replaceAll(from, to), body.toString('utf8'))),
});
