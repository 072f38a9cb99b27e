import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ErrorCode, McpError, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { version } from '../../../package.json';
import { DomainError } from '../../contracts/errors';
import { maxToolsOfSource, type McpSettings, type ToolListing } from '../../contracts/tool-source';
import { plainSchema } from '../../domain/plain-schema';
import { withCredential } from '../../domain/source-credential';
import { asObjectSchema, Listing } from '../../domain/source-tools';
import { endingWith } from '../../ending';
import type { McpServers, SourceAccess } from '../../ports/tool-sources';
import type { PinnedSender } from '../http/http-caller';
import { withBearer } from './bearer-fetch';
import { invalid, resolved } from './documents';
import { withLastWord } from './last-word';
import { CallResult, outputOf } from './mcp-results';
import { createPinnedFetch } from './pinned-fetch';

type McpAccess = SourceAccess & { readonly settings: McpSettings };

const maxResponseBytes = 1_048_576;
const maxPages = 20;
const listWithinMs = 15_000;
/** A server is told that a session has ended; nobody waits for long for its answer. */
const endWithinMs = 1_000;

/** The client's own check would refuse all tools for one that is odd. */
const ToolsPage = z.object({ tools: z.array(z.unknown()), nextCursor: z.string().nullish() });

const Named = z.object({ name: z.string() });
const Schema = z.record(z.string(), z.unknown());
const RemoteTool = Named.extend({
  title: z.string().optional().catch(undefined),
  description: z.string().optional().catch(undefined),
  inputSchema: Schema,
  outputSchema: Schema.nullish(),
  annotations: z.object({ readOnlyHint: z.unknown(), idempotentHint: z.unknown() }).partial().optional().catch(undefined),
  execution: z.object({ taskSupport: z.unknown() }).optional().catch(undefined),
});

/**
 * Servers of the Model Context Protocol, over streamable HTTP with the official client. Each use opens a session and ends it: nothing stays open for a tenant
 * that is not at work.
 */
export function createMcpServers({ send }: { send: PinnedSender }): McpServers {
  async function within<T>(access: McpAccess, signal: AbortSignal, use: (client: Client) => Promise<T>, onChange: () => void): Promise<T> {
    const { settings } = access;
    using ending = endingWith([signal]);
    const { url, headers } = withCredential(access, settings.url, {});
    const limits = { origin: new URL(settings.url).origin, maxResponseBytes, signal: ending.signal };
    // Broken streams are not taken up again: what was called is not called twice.
    const reconnectionOptions = { maxRetries: 0, initialReconnectionDelay: 1_000, maxReconnectionDelay: 1_000, reconnectionDelayGrowFactor: 1 };
    let brokenBy: unknown;
    const fetch = withLastWord(withBearer(createPinnedFetch(send, limits), access.bearer), (error) => (brokenBy = error));
    const transport = new StreamableHTTPClientTransport(new URL(url), { fetch, requestInit: { headers }, reconnectionOptions });
    const client = new Client({ name: 'tenure', version });
    client.setNotificationHandler(ToolListChangedNotificationSchema, onChange);
    try {
      // Its types were not made for exactOptionalPropertyTypes.
      await client.connect(transport as Transport, { signal }).catch((error: unknown) => {
        throw connecting(error, limits.origin);
      });
      return await use(client);
    } catch (error) {
      // Of a stream the client hears only that it ended.
      throw brokenBy instanceof DomainError ? brokenBy : error;
    } finally {
      ending.refresh(endWithinMs);
      await transport.terminateSession().catch(() => undefined);
      await client.close().catch(() => undefined);
    }
  }

  return {
    async list(access, callerSignal) {
      using ending = endingWith([callerSignal], listWithinMs);
      const { signal } = ending;
      const list = (client: Client) =>
        listingOf(client, access, signal).catch((error: unknown) => {
          throw failed(error, access.name);
        });
      return await within(access, signal, list, () => undefined);
    },

    async call(access, { tool, input, idempotencyKey, timeoutMs, signal: callerSignal, onChange }) {
      using ending = endingWith([callerSignal], timeoutMs);
      const { signal } = ending;
      const args = typeof input === 'object' && input !== null && !Array.isArray(input) ? input : {};
      return await within(
        access,
        signal,
        async (client) => {
          const params = { name: tool, arguments: args, _meta: { 'tenure/idempotency-key': idempotencyKey } };
          const result = await client.request({ method: 'tools/call', params }, CallResult, { signal, timeout: timeoutMs }).catch((error: unknown) => {
            if (callerSignal.aborted) throw error;
            throw failed(error, access.name);
          });
          return { isError: result.isError === true, output: outputOf(result) };
        },
        onChange,
      );
    },
  };
}

async function listingOf(client: Client, { name: source, settings }: McpAccess, signal: AbortSignal): Promise<ToolListing> {
  const listing = new Listing(source);
  let count = 0;
  let cursor: string | undefined;
  for (let page = 0; page < maxPages && count <= maxToolsOfSource; page += 1) {
    const params = cursor === undefined ? {} : { cursor };
    const { tools, nextCursor } = await client.request({ method: 'tools/list', params }, ToolsPage, { signal, timeout: listWithinMs });
    for (const tool of tools) await addTool(listing, tool, settings);
    count += tools.length;
    cursor = nextCursor ?? undefined;
    if (cursor === undefined) return listing.listing;
  }
  listing.leaveOut('*', `There are more tools: of a server's list ${maxPages} pages are read, and no further one behind ${maxToolsOfSource} tools.`);
  return listing.listing;
}

async function addTool(listing: Listing, found: unknown, { trustsAnnotations }: McpSettings): Promise<void> {
  const tool = RemoteTool.safeParse(found);
  if (!tool.success) {
    listing.leaveOut(Named.safeParse(found).data?.name ?? '?', 'It has no name, or no schema of its input.');
    return;
  }
  const { name, title, description, outputSchema, annotations, execution } = tool.data;
  try {
    if (execution?.taskSupport === 'required') throw invalid('Its server runs it as a task only, and tools are called and waited for.');
    const inputSchema = asObjectSchema(plainSchema(await resolved(tool.data.inputSchema)));
    if (inputSchema === undefined) throw invalid('Its input is no object.');
    const hints = trustsAnnotations ? annotations : undefined;
    listing.add({
      name,
      description: description || title || name,
      inputSchema,
      ...(outputSchema && { outputSchema: plainSchema(await resolved(outputSchema)) }),
      effect: hints?.readOnlyHint === true ? 'read' : hints?.idempotentHint === true ? 'idempotent' : 'write',
      operation: { kind: 'mcp', remoteName: name },
    });
  } catch (error) {
    listing.leaveOut(name, error instanceof DomainError ? error.message : 'Its schema cannot be read.');
  }
}

/** Before a session is open nothing has happened. */
function connecting(error: unknown, origin: string): unknown {
  if (error instanceof DomainError && !['tool/failed', 'tool/bad-output'].includes(error.code)) return error;
  if (isRefusal(error)) return new DomainError('tool/refused', `${origin} does not take the credential of this source, or is no MCP server here.`, { cause: error });
  return new DomainError('tool/unreachable', `${origin} opened no session.`, { cause: error });
}

/** Of the SDK's error, which bears the status of HTTP. */
const statusOf = (error: unknown): number | undefined => (error instanceof StreamableHTTPError ? error.code : undefined);

function isRefusal(error: unknown): boolean {
  const status = statusOf(error) ?? 0;
  return (error instanceof Error && error.name === 'UnauthorizedError') || (status >= 300 && status < 500 && status !== 408);
}

/** The client's own status of an answer that is neither JSON nor a stream of events. */
const unexpectedType = -1;

/** The client's own codes for answers that did not come. */
const brokenOff: ReadonlySet<number> = new Set([ErrorCode.RequestTimeout, ErrorCode.ConnectionClosed]);

/** The server's own word stands; a broken connection says nothing about what happened. */
function failed(error: unknown, source: string): unknown {
  if (error instanceof DomainError) return error;
  if (error instanceof McpError && !brokenOff.has(error.code))
    return new DomainError('tool/refused', `${source} answered: ${error.message}`.slice(0, 1_000), { cause: error });
  const status = statusOf(error);
  if (isRefusal(error)) return new DomainError('tool/refused', `${source} answered ${status}.`, { cause: error });
  const oddity = oddityOf(error);
  if (oddity !== undefined) return new DomainError('tool/bad-output', `${source} answered what no MCP server does. It may have done what it was asked. ${oddity}`.slice(0, 1_000), { cause: error });
  return new DomainError('tool/failed', `${source} gave no answer.`, { cause: error });
}

/** What is wrong with an answer that came. */
function oddityOf(error: unknown): string | undefined {
  if (error instanceof z.core.$ZodError) return z.prettifyError(error);
  return error instanceof StreamableHTTPError && error.code === unexpectedType ? error.message : undefined;
}
