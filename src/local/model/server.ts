import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { clockWords, clockWordsIn } from './clock';
import { forwardTo, type OpenAiSettings } from './forwarding';
import { PromptCache } from './prompt-cache';
import { type Answer, type AnswerEnd, attachedIn, ConverseRequest, problemWith, type Reply, textOf, thinks, type Thought, type TokenUsage, toolResultsOf } from './protocol';
import { hostilePrefix, hostileReply, Targets } from './hostile';
import { replyByRules } from './rules';
import { respondAtOnce, streamAnswer } from './responses';
import { Script, Scripts, type ScriptStep } from './scripts';
import { refusals, tokensIn, wordsOf } from './wire';

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
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  /** Of answers that broke off or were left: what had been read and said until then. */
  readonly wastedTokens: number;
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
  private readonly promptCache = new PromptCache();
  private readonly server: Server = createServer((request, response) => {
    this.handle(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else refuse(response, refusalOf(error));
    });
  });
  private timing: { firstTokenMs: number; msPerToken: number };
  private served: Served = nothingServed;
  /** A hostile model follows the rules until it is told what to aim at: a tenant whose agent answers nothing is not taken on. */
  private targets: Targets | undefined;
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
      case 'POST /_aim':
        this.targets = Targets.parse(body);
        return {};
      case 'POST /_reset':
        this.scripts.clear();
        this.promptCache.clear();
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
    const scripted = this.scripts.take(request, modelId);
    const failure = scripted?.step.fail;
    if (failure && !('after' in failure)) {
      refuse(response, refusals[failure.kind], failure.retryAfterSeconds === undefined ? {} : { 'retry-after': String(failure.retryAfterSeconds) });
      return;
    }
    const left = new AbortController();
    response.once('close', () => left.abort());
    this.served = { ...this.served, requests: this.served.requests + 1, latest: [...this.served.latest, { modelId, tenantId: request.requestMetadata?.['tenantId'], request }].slice(-maxLatest) };
    const input = this.promptCache.inputOf(modelId, request, tokensRead(request));
    const thought = thoughtOn(request, scripted?.step);
    const answer = withUsage(input, thought?.text ?? '', isGuarded(request) ? spoken(blocked) : this.answerTo(modelId, request, scripted?.step, left.signal));
    const newCallId = () => this.newCallId();
    if (!isStream) {
      this.count(await respondAtOnce(response, answer, { thought, newCallId }));
      return;
    }
    const pace = { ...this.timing, ...definedTiming(scripted?.step), holdAfter: scripted?.step.holdAfter, hold: () => scripted?.hold(left.signal) };
    const cut = { said: '' };
    const usage = await streamAnswer(response, answer, { thought, failure, pace, newCallId, onText: (text) => (cut.said += text) }).catch((error: unknown) => {
      if (left.signal.aborted) return 'left' as const;
      throw error;
    });
    if (typeof usage === 'object') this.count(usage);
    else this.served = { ...this.served, abandoned: this.served.abandoned + (usage === 'left' ? 1 : 0), wastedTokens: this.served.wastedTokens + tokensRead(request) + tokensIn(cut.said) };
  }

  private count({ inputTokens, outputTokens, cacheReadInputTokens = 0, cacheWriteInputTokens = 0 }: TokenUsage): void {
    const { served } = this;
    this.served = {
      ...served,
      inputTokens: served.inputTokens + inputTokens,
      outputTokens: served.outputTokens + outputTokens,
      cacheReadTokens: served.cacheReadTokens + cacheReadInputTokens,
      cacheWriteTokens: served.cacheWriteTokens + cacheWriteInputTokens,
    };
  }

  private answerTo(modelId: string, request: ConverseRequest, step: ScriptStep | undefined, signal: AbortSignal): Answer {
    if (step) return spoken(replyOf(step));
    if (modelId.startsWith(hostilePrefix) && this.targets) return spoken(hostileReply(request, modelId.slice(hostilePrefix.length), this.targets));
    if (this.options.openAi) return forwardTo(this.options.openAi, request, signal);
    const times = clockWordsIn(request);
    return times === undefined ? spoken(replyByRules(request)) : clockWords(times);
  }

  private newCallId(): string {
    this.calls += 1;
    return `tooluse_${process.pid}_${this.calls}`;
  }
}

/** An image makes as many as most do, and a document one of four bytes. */
const tokensRead = ({ messages, system, toolConfig }: ConverseRequest): number =>
  tokensIn(JSON.stringify([messages, system, toolConfig])) + attachedIn(messages).reduce((sum, { kind, size }) => sum + (kind === 'image' ? 1_500 : Math.ceil(size / 4)), 0);

/** It thinks when the user has spoken, and no more until it has answered. */
const thoughtOn = (request: ConverseRequest, step: ScriptStep | undefined): Thought | undefined =>
  thinks(request) && toolResultsOf(request.messages.at(-1)).length === 0 ? { text: step?.think ?? 'I follow my rules.', redacted: step?.redacted } : undefined;

/** Any guardrail objects to any message that holds this. */
const guardedWord = '[guarded]';
const isGuarded = ({ guardrailConfig, messages }: ConverseRequest): boolean => guardrailConfig !== undefined && messages.some((message) => textOf(message).includes(guardedWord));
const blocked: Reply = { text: 'The guardrail of this model server does not allow that.', calls: [], stopReason: 'guardrail_intervened' };

/** The answer, and what it cost. */
async function* withUsage(input: Omit<TokenUsage, 'outputTokens'>, thought: string, answer: Answer): AsyncGenerator<string, Required<AnswerEnd>, void> {
  let text = '';
  let next = await answer.next();
  for (; !next.done; next = await answer.next()) {
    text += next.value;
    yield next.value;
  }
  const end = next.value;
  return { ...end, usage: end.usage ?? { ...input, outputTokens: tokensIn(thought + text + JSON.stringify(end.calls)) } };
}

const nothingServed: Served = { requests: 0, inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, wastedTokens: 0, abandoned: 0, latest: [] };
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

function refuse(response: ServerResponse, [status, type, message]: readonly [number, string, string], headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { ...headers, 'content-type': 'application/json', 'x-amzn-errortype': type }).end(JSON.stringify({ message }));
}

function refusalOf(error: unknown): readonly [number, string, string] {
  if (error instanceof z.ZodError) return [400, 'ValidationException', z.prettifyError(error)];
  if (error instanceof SyntaxError) return [400, 'SerializationException', error.message];
  return [500, 'InternalServerException', String(error)];
}

const replyOf = ({ say, calls, stopReason, usage }: ScriptStep): Reply => ({
  text: say,
  calls: calls as Reply['calls'],
  stopReason: stopReason ?? (calls.length > 0 ? 'tool_use' : 'end_turn'),
  ...(usage && { usage }),
});

// eslint-disable-next-line @typescript-eslint/require-await -- an answer that is there already, as one that comes
async function* spoken({ text, ...end }: Reply): Answer {
  yield* wordsOf(text);
  return end;
}
