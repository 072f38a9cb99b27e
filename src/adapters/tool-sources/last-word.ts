import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ErrorCode, JSONRPCRequestSchema, type RequestId } from '@modelcontextprotocol/sdk/types.js';

/**
 * A `fetch` whose streams of events do not end in silence: the client would wait for its answer until the time for it is over. Behind the last event
 * comes one that says so; behind an answer nobody hears it.
 * @param onBreak - told what broke a stream off.
 */
export function withLastWord(fetch: FetchLike, onBreak: (error: unknown) => void): FetchLike {
  return async (input, init) => {
    const response = await fetch(input, init);
    const id = requestIn(init?.body);
    if (id === undefined || !response.body || !isStream(response)) return response;
    const { status, headers } = response;
    return new Response(ReadableStream.from(ending(response.body, id, onBreak)), { status, headers });
  };
}

const isStream = ({ headers }: Response): boolean => /^text\/event-stream\b/i.test(headers.get('content-type') ?? '');

/** What the client asks; it is told things, too, which nobody answers. */
function requestIn(body: unknown): RequestId | undefined {
  return typeof body === 'string' ? JSONRPCRequestSchema.safeParse(JSON.parse(body)).data?.id : undefined;
}

async function* ending(body: ReadableStream<Uint8Array>, id: RequestId, onBreak: (error: unknown) => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    onBreak(error);
  }
  const lastWord = { jsonrpc: '2.0', id, error: { code: ErrorCode.ConnectionClosed, message: 'The stream ended without an answer' } };
  // What came last may have been half an event.
  yield Buffer.from(`\n\ndata: ${JSON.stringify(lastWord)}\n\n`);
}
