import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { temporal } from '@temporalio/proto';
import type { ActiveRule, RuleBook } from './rules';

/** gRPC's numbers of the codes that faults name. */
const grpcCodes: Readonly<Record<string, number>> = { UNKNOWN: 2, INVALID_ARGUMENT: 3, PERMISSION_DENIED: 7, RESOURCE_EXHAUSTED: 8, ABORTED: 10, UNAVAILABLE: 14 };

/** Only these are read field by field; in all others the names of workflows, queues and activities are found as they lie. */
const decoded: Readonly<Record<string, { decode(bytes: Uint8Array): { toJSON(): object } }>> = {
  RespondWorkflowTaskCompleted: temporal.api.workflowservice.v1.RespondWorkflowTaskCompletedRequest,
};

/** One connection of a worker may have many polls under way. */
const sessionMemoryMb = 256;

/** Stands between Temporal's clients and its server (gRPC without TLS), and does to calls what the rules say. */
export class TemporalProxy {
  private readonly server = createServer({ maxSessionMemory: sessionMemoryMb });
  private readonly sessions = new Map<ServerHttp2Session, ClientHttp2Session>();

  constructor(
    private readonly upstream: string,
    private readonly rules: RuleBook,
  ) {
    this.server.on('session', (session) => this.accept(session));
    this.server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      this.handle(stream, headers).catch(() => stream.destroy());
    });
  }

  /** @returns its address. */
  async start(port = 0): Promise<string> {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    for (const [client, upstream] of this.sessions) {
      client.destroy();
      upstream.destroy();
    }
    this.server.close();
  }

  /** Each client gets its own connection to the server, which lives as long as the client's. */
  private accept(client: ServerHttp2Session): void {
    this.connectFor(client);
    client.on('error', () => undefined);
    client.on('close', () => {
      this.sessions.get(client)?.destroy();
      this.sessions.delete(client);
    });
  }

  /** The server lets go of every connection after some minutes (GOAWAY): what runs on it ends there, what comes next goes by a new one. */
  private connectFor(client: ServerHttp2Session): void {
    const upstream = connect(`http://${this.upstream}`, { maxSessionMemory: sessionMemoryMb });
    this.sessions.set(client, upstream);
    const isCurrent = () => this.sessions.get(client) === upstream;
    upstream.on('error', () => undefined);
    upstream.on('goaway', () => {
      if (isCurrent()) this.connectFor(client);
    });
    upstream.on('close', () => {
      if (isCurrent()) client.destroy();
    });
  }

  private async handle(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const body = await bytesOf(stream);
    const method = String(headers[':path']).split('/').at(-1) ?? '';
    const upstream = stream.session && this.sessions.get(stream.session as ServerHttp2Session);
    if (!upstream) return void stream.destroy();
    const call = { upstream, headers, body };
    const rule = await this.rules.take({ service: 'temporal', action: method, text: textOf(method, body) });
    if (rule) await spoil(rule, stream, call);
    else relay(stream, send(call));
  }
}

interface Call {
  readonly upstream: ClientHttp2Session;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

async function spoil(rule: ActiveRule, stream: ServerHttp2Stream, call: Call): Promise<void> {
  const { fault } = rule.rule;
  switch (fault.kind) {
    case 'refuse':
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(grpcCodes[fault.code] ?? 2), 'grpc-message': fault.message }, { endStream: true });
      return;
    case 'lose-answer':
      await bytesOf(send(call).stream);
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      return;
    case 'never-answer':
      return;
    case 'hold': {
      const answer = fault.effect ? send(call) : undefined;
      answer?.stream.pause();
      await rule.held();
      if (!stream.destroyed) relay(stream, answer ?? send(call));
      return;
    }
    case 'rewrite':
      throw new Error('Answers of Temporal are not rewritten.');
  }
}

/** A call that was passed on, and what came back of it so far. */
interface Answering {
  readonly stream: ClientHttp2Stream;
  headers?: IncomingHttpHeaders;
  isOnlyHeaders: boolean;
  trailers: IncomingHttpHeaders;
}

function send({ upstream, headers, body }: Call): Answering {
  const stream = upstream.request(headers);
  const answering: Answering = { stream, isOnlyHeaders: false, trailers: {} };
  stream.on('error', () => undefined);
  stream.on('response', (answer, flags) => {
    answering.headers = answer;
    answering.isOnlyHeaders = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
  });
  stream.on('trailers', (trailers: IncomingHttpHeaders) => void (answering.trailers = trailers));
  stream.end(body);
  return answering;
}

/** An answer of gRPC is headers, a message, and trailers with the status; or the status at once. */
function relay(client: ServerHttp2Stream, answering: Answering): void {
  const { stream } = answering;
  const begin = () => {
    if (client.destroyed) return;
    client.respond(answering.headers ?? {}, answering.isOnlyHeaders ? { endStream: true } : { waitForTrailers: true });
    if (!answering.isOnlyHeaders) stream.pipe(client);
  };
  client.on('wantTrailers', () => client.sendTrailers(answering.trailers));
  client.on('close', () => stream.close(constants.NGHTTP2_CANCEL));
  stream.on('error', () => client.close(constants.NGHTTP2_INTERNAL_ERROR));
  if (answering.headers) begin();
  else stream.once('response', begin);
}

/** What can be read of a call: texts lie in it as they are, unless it is packed. */
function textOf(method: string, body: Buffer): string {
  const message = body[0] === 1 ? gunzipSync(body.subarray(5)) : body.subarray(5);
  const text = message.toString('latin1');
  const type = decoded[method];
  return type ? `${text}\n${JSON.stringify(type.decode(message).toJSON())}` : text;
}

async function bytesOf(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
