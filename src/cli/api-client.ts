import { randomUUID } from 'node:crypto';
import { createParser, type EventSourceMessage } from 'eventsource-parser';

/** A problem (RFC 9457) as the API answers it, or what stood in for it. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryAfterSeconds: number | undefined,
  ) {
    super(message);
  }
}

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly body?: unknown;
  readonly token?: string;
  /** A POST without one gets a new one, so that a repetition by hand is a new request and one by a library is not. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

/** Tenure's HTTP API, as its clients see it. */
export class ApiClient {
  constructor(readonly baseUrl: string) {}

  /** @throws ApiProblem */
  async call<T>(path: string, request: ApiRequest = {}): Promise<T> {
    const response = await this.fetch(path, request, 'application/json');
    return (await response.json()) as T;
  }

  /** Server-sent events until the server ends the stream. @throws ApiProblem */
  async *stream(path: string, request: ApiRequest = {}): AsyncGenerator<EventSourceMessage> {
    const response = await this.fetch(path, request, 'text/event-stream');
    const ready: EventSourceMessage[] = [];
    const parser = createParser({ onEvent: (event) => void ready.push(event) });
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
      yield* ready.splice(0);
    }
  }

  private async fetch(path: string, { method = 'GET', body, token, idempotencyKey, signal }: ApiRequest, accept: string): Promise<Response> {
    const response = await fetch(new URL(path, this.baseUrl), {
      method,
      headers: {
        accept,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(method === 'POST' && { 'idempotency-key': idempotencyKey ?? randomUUID() }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
    if (!response.ok) throw await problemOf(response);
    return response;
  }
}

async function problemOf(response: Response): Promise<ApiProblem> {
  const problem = (await response.json().catch(() => ({}))) as { code?: string; title?: string; detail?: string };
  const retryAfter = response.headers.get('retry-after');
  return new ApiProblem(
    response.status,
    problem.code ?? 'unknown',
    problem.detail ?? problem.title ?? response.statusText,
    retryAfter === null ? undefined : Number(retryAfter),
  );
}
