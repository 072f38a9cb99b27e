import { randomUUID } from 'node:crypto';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { endingWith } from '../ending';

/** A problem (RFC 9457) as the API answers it, or what stood in for it. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfterSeconds: number | undefined,
    /** To quote when asking about it. */
    readonly requestId?: string,
  ) {
    super(message);
  }
}

/** A problem that ended a stream: the request was taken. Whoever comes back with the cursor goes on, or is refused for what was wrong. */
export class StreamProblem extends ApiProblem {}

/** Nobody answers at the API's address, or the connection broke before the answer. */
export class ApiUnreachable extends Error {
  override readonly name = 'ApiUnreachable';

  constructor(baseUrl: string, cause: unknown) {
    super(`The API at ${baseUrl} does not answer (${reasonOf(cause)}).`, { cause });
  }

  /** Whether the request certainly never arrived. */
  get neverSent(): boolean {
    return /ECONNREFUSED|ENOTFOUND|EAI_AGAIN/.test(this.message);
  }
}

/** Fetch hides what happened in a cause, or in several. */
function reasonOf(error: unknown): string {
  const { cause, code, errors, message } = error as { cause?: unknown; code?: string; errors?: unknown[]; message?: string };
  if (code !== undefined) return code;
  const deeper = cause ?? errors?.[0];
  return deeper === undefined ? (message ?? String(error)) : reasonOf(deeper);
}

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is, in place of a body. */
  readonly file?: { readonly content: Uint8Array; readonly mediaType: string };
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A POST or DELETE without one gets a new one, so that a repetition by hand is a new request and one by a library is not. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
  /** Hears that the other end of a stream is still there, although it has no event to tell. */
  readonly onComment?: () => void;
  /** How long its answer may take; streams have no end. Default: longer than the API waits for an agent. */
  readonly withinMs?: number;
}

/** The server says something every 15 s: a stream silent for longer has lost its other end. */
const silentForMs = 45_000;
/** The server itself answers within a minute, whatever it waits for. */
const answerWithinMs = 75_000;

/** Tenure's HTTP API, as its clients see it. */
export class ApiClient {
  constructor(readonly baseUrl: string) {}

  /** @returns undefined (whatever T says) when the answer has no body. @throws ApiProblem, ApiUnreachable */
  async call<T>(path: string, request: ApiRequest = {}): Promise<T> {
    return this.inTime(request, async (bounded) => {
      const response = await this.fetch(path, bounded, 'application/json');
      return (response.status === 204 ? undefined : await response.json()) as T;
    });
  }

  /** The answer as it is written, in a media type of choice. @throws ApiProblem, ApiUnreachable */
  async text(path: string, accept: string, request: ApiRequest = {}): Promise<string> {
    return this.inTime(request, async (bounded) => (await this.fetch(path, bounded, accept)).text());
  }

  /** The answer as it comes, however long it is. @throws ApiProblem, ApiUnreachable */
  async body(path: string, accept: string, request: ApiRequest = {}): Promise<AsyncIterable<Uint8Array>> {
    return ((await this.fetch(path, request, accept)).body ?? []) as AsyncIterable<Uint8Array>;
  }

  /** Server-sent events until the server ends the stream; none when it answers 204. @throws ApiProblem, StreamProblem, ApiUnreachable */
  async *stream(path: string, request: ApiRequest = {}): AsyncGenerator<EventSourceMessage> {
    using silence = endingWith([request.signal], silentForMs);
    try {
      const response = await this.fetch(path, { ...request, signal: silence.signal }, 'text/event-stream');
      const ready: EventSourceMessage[] = [];
      const parser = createParser({ onEvent: (event) => void ready.push(event), onComment: () => request.onComment?.() });
      const decoder = new TextDecoder();
      for await (const chunk of response.body ?? []) {
        // Nobody listens while the reader deals with an event.
        silence.rest();
        parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
        for (const event of ready.splice(0)) {
          if (event.event === 'problem') throw streamProblemOf(event);
          yield event;
        }
        silence.refresh();
      }
    } catch (error) {
      throw silence.isTimeUp ? new ApiUnreachable(this.baseUrl, new Error('a stream fell silent')) : error;
    }
  }

  /** The time is for the whole answer: one that stops in the middle is none. */
  private async inTime<T>({ withinMs = answerWithinMs, ...request }: ApiRequest, ask: (bounded: ApiRequest) => Promise<T>): Promise<T> {
    using ending = endingWith([request.signal], withinMs);
    try {
      return await ask({ ...request, signal: ending.signal });
    } catch (error) {
      throw ending.isTimeUp ? new ApiUnreachable(this.baseUrl, new Error(`nothing within ${withinMs / 1_000} s`)) : error;
    }
  }

  private async fetch(path: string, { method = 'GET', body, file, token, idempotencyKey, headers, signal }: ApiRequest, accept: string): Promise<Response> {
    const response = await fetch(new URL(path, this.baseUrl), {
      method,
      headers: {
        ...headers,
        accept,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(file && { 'content-type': file.mediaType }),
        ...((method === 'POST' || method === 'DELETE') && { 'idempotency-key': idempotencyKey ?? randomUUID() }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(file && { body: Buffer.from(file.content) }),
      ...(signal && { signal }),
    }).catch((error: unknown) => {
      if (signal?.aborted === true) throw error;
      throw new ApiUnreachable(this.baseUrl, error);
    });
    if (!response.ok) throw await problemOf(response);
    return response;
  }
}

async function problemOf(response: Response): Promise<ApiProblem> {
  const problem = (await response.json().catch(() => ({}))) as { code?: string; title?: string; detail?: string; requestId?: string };
  const retryAfter = response.headers.get('retry-after');
  return new ApiProblem(
    response.status,
    problem.code ?? 'unknown',
    problem.detail ?? problem.title ?? response.statusText,
    retryAfter === null ? undefined : Number(retryAfter),
    problem.requestId,
  );
}

/** Written by the API itself: nothing of it is missing. */
function streamProblemOf({ data }: EventSourceMessage): StreamProblem {
  const { status, code, detail, requestId } = JSON.parse(data) as { status: number; code: string; detail: string; requestId: string };
  return new StreamProblem(status, code, detail, undefined, requestId);
}
