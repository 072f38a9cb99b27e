import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { forwardTo, type OpenAiSettings } from './forwarding';
import { ConverseRequest, type Failure, problemWith, type Reply } from './protocol';
import { replyByRules } from './rules';
import { Script, Scripts, type ScriptStep } from './scripts';
import { contentPieces, endPieces, exceptionFrame, refusals, tokensIn } from './wire';

export interface ModelServerOptions {
  readonly port?: number;
  readonly host?: string;
  readonly firstTokenMs?: number;
  readonly msPerToken?: number;
  /** Real answers from here instead of the rules. */
  readonly openAi?: OpenAiSettings;
}

export interface ServedRequest {
  readonly modelId: string;
  readonly tenantId: string | undefined;
  readonly request: ConverseRequest;
}

export interface Served {
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Streams the client left before their end. */
  readonly abandoned: number;
  /** The latest, oldest first. */
  readonly latest: readonly ServedRequest[];
}

const maxLatest = 200;

/**
 * A model on Bedrock's wire protocol: Converse and ConverseStream as BedrockRuntimeClient speaks them. Answers come from a
 * script, from another model, or from simple rules.
 */
export class ModelServer {
  private readonly scripts = new Scripts();
  private readonly server: Server = createServer((request, response) => {
    this.handle(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else refuse(response, error instanceof z.ZodError ? [400, 'ValidationException', z.prettifyError(error)] : [500, 'InternalServerException', String(error)]);
    });
  });
  private timing: { firstTokenMs: number; msPerToken: number };
  private served: Served = nothingServed;
  private calls = 0;

  constructor(private readonly options: ModelServerOptions = {}) {
    this.timing = { firstTokenMs: options.firstTokenMs ?? 20, msPerToken: options.msPerToken ?? 2 };
  }

  /** @returns its URL. */
  async start(): Promise<string> {
    const { port = 0, host = '127.0.0.1' } = this.options;
    this.server.listen(port, host);
    await once(this.server, 'listening');
    return `http://${host}:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.scripts.clear();
    this.server.close();
    this.server.closeAllConnections();
    await Promise.resolve();
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const [, modelId, verb] = /^\/model\/([^/]+)\/(converse|converse-stream)$/.exec(path) ?? [];
    if (modelId !== undefined && request.method === 'POST') {
      await this.converse(request, response, decodeURIComponent(modelId), verb === 'converse-stream');
      return;
    }
    const body = request.method === 'POST' ? await readJson(request) : undefined;
    const answer = this.control(`${request.method ?? ''} ${path}`, body);
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? { message: 'Not found' }));
  }

  /** What tests and benchmarks ask of the server itself. */
  private control(call: string, body: unknown): unknown {
    switch (call) {
      case 'GET /_health':
        return { status: 'ok' };
      case 'GET /_served':
        return this.served;
      case 'POST /_script':
        this.scripts.add(Script.parse(body));
        return {};
      case 'POST /_release':
        return { released: this.scripts.release(Matching.parse(body).match) };
      case 'POST /_holding':
        return { holding: this.scripts.holding(Matching.parse(body).match) };
      case 'POST /_timing':
        this.timing = Timing.parse(body);
        return {};
      case 'POST /_reset':
        this.scripts.clear();
        this.served = nothingServed;
        return {};
      default:
        return undefined;
    }
  }

  private async converse(message: IncomingMessage, response: ServerResponse, modelId: string, isStream: boolean): Promise<void> {
    const request = ConverseRequest.parse(await readJson(message));
    const problem = problemWith(request);
    if (problem !== undefined) {
      refuse(response, [400, 'ValidationException', problem]);
      return;
    }
    const scripted = this.scripts.take(request);
    const failure = scripted?.step.fail;
    if (failure && !('after' in failure)) {
      refuse(response, refusals[failure.kind]);
      return;
    }
    const reply = await this.replyTo(request, scripted?.step);
    const usage = reply.usage ?? { inputTokens: tokensIn(JSON.stringify(request.messages)), outputTokens: tokensIn(reply.text + JSON.stringify(reply.calls)) };
    this.count({ modelId, tenantId: request.requestMetadata?.['tenantId'], request }, usage);
    const pace = { ...this.timing, ...definedTiming(scripted?.step), holdAfter: scripted?.step.holdAfter, hold: scripted?.hold };
    if (isStream) await this.stream(response, { reply, usage, failure, pace });
    else respondAtOnce(response, reply, usage, () => this.newCallId());
  }

  private async replyTo(request: ConverseRequest, step: ScriptStep | undefined): Promise<Reply> {
    if (step) return { text: step.say, calls: step.calls as Reply['calls'], stopReason: step.stopReason ?? (step.calls.length > 0 ? 'tool_use' : 'end_turn'), ...(step.usage && { usage: step.usage }) };
    return this.options.openAi ? forwardTo(this.options.openAi, request) : replyByRules(request);
  }

  private async stream(response: ServerResponse, { reply, usage, failure, pace }: Answer): Promise<void> {
    const startedAtMs = performance.now();
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
    response.flushHeaders();
    if (pace.firstTokenMs > 0) await delay(pace.firstTokenMs);
    let words = 0;
    for (const { frame, isWord } of contentPieces(reply, () => this.newCallId())) {
      if (failure && 'after' in failure && words >= failure.after) {
        breakOff(response, failure);
        return;
      }
      if (pace.holdAfter !== undefined && words === pace.holdAfter && isWord) await pace.hold?.();
      if (response.destroyed) {
        this.served = { ...this.served, abandoned: this.served.abandoned + 1 };
        return;
      }
      response.write(frame);
      words += isWord ? 1 : 0;
      if (isWord && pace.msPerToken > 0) await delay(pace.msPerToken);
    }
    if (failure && 'after' in failure) {
      breakOff(response, failure);
      return;
    }
    for (const frame of endPieces(reply.stopReason, usage, Math.round(performance.now() - startedAtMs))) response.write(frame);
    response.end();
  }

  private count(latest: ServedRequest, usage: { inputTokens: number; outputTokens: number }): void {
    this.served = {
      ...this.served,
      requests: this.served.requests + 1,
      inputTokens: this.served.inputTokens + usage.inputTokens,
      outputTokens: this.served.outputTokens + usage.outputTokens,
      latest: [...this.served.latest, latest].slice(-maxLatest),
    };
  }

  private newCallId(): string {
    this.calls += 1;
    return `tooluse_${process.pid}_${this.calls}`;
  }
}

interface Answer {
  readonly reply: Reply;
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number };
  readonly failure: Failure | undefined;
  readonly pace: { readonly firstTokenMs: number; readonly msPerToken: number; readonly holdAfter: number | undefined; readonly hold: (() => Promise<void>) | undefined };
}

const nothingServed: Served = { requests: 0, inputTokens: 0, outputTokens: 0, abandoned: 0, latest: [] };
const Matching = z.object({ match: z.string() });
const Timing = z.object({ firstTokenMs: z.number().min(0), msPerToken: z.number().min(0) });

const definedTiming = (step: ScriptStep | undefined) => ({
  ...(step?.firstTokenMs !== undefined && { firstTokenMs: step.firstTokenMs }),
  ...(step?.msPerToken !== undefined && { msPerToken: step.msPerToken }),
});

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function refuse(response: ServerResponse, [status, type, message]: readonly [number, string, string]): void {
  response.writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': type }).end(JSON.stringify({ message }));
}

function breakOff(response: ServerResponse, { kind }: Failure): void {
  // What was written before must be on its way: the last empty write tells when it is.
  if (kind === 'disconnect') response.write('', () => response.destroy());
  else response.end(exceptionFrame('modelStreamErrorException', 'The model broke off.'));
}

function respondAtOnce(response: ServerResponse, { text, calls, stopReason }: Reply, usage: Answer['usage'], newCallId: () => string): void {
  const content = [
    ...(text === '' ? [] : [{ text }]),
    ...calls.map(({ name, input }) => ({ toolUse: { toolUseId: newCallId(), name, input: input ?? {} } })),
  ];
  const body = {
    output: { message: { role: 'assistant', content } },
    stopReason,
    usage: { ...usage, totalTokens: usage.inputTokens + usage.outputTokens },
    metrics: { latencyMs: 1 },
  };
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
