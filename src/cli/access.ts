import { randomUUID } from 'node:crypto';
import type { EventSourceMessage } from 'eventsource-parser';
import { type ApiClient, ApiProblem, type ApiRequest } from './api-client';
import { mayHaveArrived, patiently, seemsTemporary } from './patience';
import type { TokenSource } from './sign-in/tokens';

/** How long a request that changes something is repeated, with its key, when its answer did not come. */
const repeatForMs = 15_000;

/** The API as one caller: every request carries the caller's token, renewed once when the API refuses it. */
export class Access {
  constructor(
    readonly api: ApiClient,
    readonly source: TokenSource,
  ) {}

  /** @throws ApiProblem, ApiUnreachable */
  call<T>(path: string, request: ApiRequest = {}): Promise<T> {
    const { method = 'GET' } = request;
    if (method === 'GET') return this.asCaller((token) => this.api.call<T>(path, { ...request, token }));
    // It may have arrived although the answer did not: the key makes it one request.
    const keyed = { idempotencyKey: randomUUID(), ...request };
    let mayBeUnderWay = false;
    return patiently(() => this.asCaller((token) => this.api.call<T>(path, { ...keyed, token })), {
      giveUpAfterMs: repeatForMs,
      mayPass: (error) => (mayBeUnderWay ||= mayHaveArrived(error)) && seemsTemporary(error),
    });
  }

  text(path: string, accept: string): Promise<string> {
    return this.asCaller((token) => this.api.text(path, accept, { token }));
  }

  body(path: string, accept: string): Promise<AsyncIterable<Uint8Array>> {
    return this.asCaller((token) => this.api.body(path, accept, { token }));
  }

  async *stream(path: string, request: ApiRequest = {}): AsyncGenerator<EventSourceMessage> {
    const open = (token: string) => opened(this.api.stream(path, { ...request, token }));
    yield* await this.asCaller(open);
  }

  /** All of a list, page by page, up to a limit. */
  async all<Row>(path: string, query: Readonly<Record<string, string | undefined>>, limit = Infinity): Promise<Row[]> {
    const rows: Row[] = [];
    for (let cursor: string | undefined; ; ) {
      const page: { data: Row[]; nextCursor?: string } = await this.call(withQuery(path, { ...query, limit: String(Math.min(200, limit - rows.length)), cursor }));
      rows.push(...page.data);
      cursor = page.nextCursor;
      if (cursor === undefined || rows.length >= limit) return rows;
    }
  }

  private async asCaller<T>(run: (token: string) => Promise<T>): Promise<T> {
    const { source } = this;
    try {
      return await run(await source.token());
    } catch (error) {
      if (!(error instanceof ApiProblem && error.status === 401 && source.renew)) throw error;
      return run(await source.renew());
    }
  }
}

/** Waits for the first event, so that a refusal of the request is thrown here. Who leaves at the first event lets go of the connection, too. */
async function opened<T>(stream: AsyncGenerator<T>): Promise<AsyncGenerator<T>> {
  const first = await stream.next();
  return (async function* () {
    if (first.done === true) return;
    try {
      yield first.value;
      yield* stream;
    } finally {
      await stream.return(undefined);
    }
  })();
}

export function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const defined = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return defined.length === 0 ? path : `${path}?${new URLSearchParams(defined).toString()}`;
}

/** A path of the API: what is put in is one part of it, whatever it holds. */
export const apiPath = (parts: TemplateStringsArray, ...values: readonly string[]): string =>
  `/api/v1${String.raw({ raw: parts }, ...values.map((value) => encodeURIComponent(value)))}`;
