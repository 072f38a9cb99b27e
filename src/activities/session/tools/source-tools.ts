import { DomainError } from '../../../contracts/errors';
import type { JsonValue } from '../../../contracts/model';
import type { HttpOperation, ListedTool, ToolSource } from '../../../contracts/tool-source';
import { isAllowedOrigin } from '../../../domain/egress';
import { requestOf } from '../../../domain/openapi-request';
import { withCredential, withoutSecret } from '../../../domain/source-credential';
import { mayShowSecret } from '../../../domain/source-tools';
import type { HttpCaller } from '../../../ports/http-caller';
import type { McpServers, ToolSecrets } from '../../../ports/tool-sources';
import { mustHaveAnswered } from './http-request';
import { createTool, type Tool, type ToolContext } from './tool';

const attemptMs = 30_000;
const maxResponseBytes = 65_536;
const maxRefusalCharacters = 4_000;

export interface SourceToolDeps {
  readonly http: HttpCaller;
  readonly mcp: McpServers;
  readonly secrets: ToolSecrets;
  /** Told of a source whose tools have changed. */
  readonly onChange: (tenantId: string, source: ToolSource) => void;
}

/** The tools of one of a tenant's sources. Their calls are a stranger's requests twice over: of the model, to what the tenant named. */
export const toolsOfSource = (deps: SourceToolDeps, source: ToolSource): Tool[] => source.listing.tools.map((listed) => toolOf(deps, source, listed));

function toolOf(deps: SourceToolDeps, source: ToolSource, listed: ListedTool): Tool {
  const { name, description, inputSchema, outputSchema, effect, operation } = listed;
  const { approval } = source.settings;
  return createTool({
    spec: { name, description, inputSchema },
    ...(outputSchema !== undefined && { outputSchema }),
    ...(approval && { approval }),
    timeoutMs: attemptMs + 5_000,
    maxAttempts: 3,
    effectOf: () => effect,
    mayRepeat: () => operation.kind === 'http' && operation.takesKey,
    async run(input, context) {
      const target = operation.kind === 'http' ? operation.url : source.settings.url ?? '';
      const { origin } = new URL(target);
      if (!isAllowedOrigin(context.agent.allowedOrigins, target)) throw new DomainError('tool/egress-refused', `${origin} is not among the origins this tenant allows.`);
      // Read here, for this call, and handed to nobody but the client.
      const secret = mayShowSecret(source, target) ? await deps.secrets.get(context.owner.tenantId, source.name) : undefined;
      const output = operation.kind === 'http' ? await callHttp(deps, { source, operation, secret }, input, context) : await callMcp(deps, { source, remoteName: operation.remoteName, secret }, input, context);
      return withoutSecret(output, secret);
    },
  });
}

async function callHttp({ http }: SourceToolDeps, { source, operation, secret }: { source: ToolSource; operation: HttpOperation; secret: string | undefined }, input: JsonValue, { idempotencyKey, signal }: ToolContext): Promise<JsonValue> {
  const request = requestOf(operation, input);
  if ('problem' in request) throw new DomainError('tool/invalid-input', request.problem);
  const { origin } = new URL(request.url);
  // What is put together may lead no further than what was described.
  if (origin !== new URL(operation.url.replaceAll(/\{[^}]*\}/g, '_')).origin) throw new DomainError('tool/egress-refused', 'The address of this call is on another server.');
  const own = { ...request.headers, accept: 'application/json, text/*', ...(operation.takesKey && { 'idempotency-key': idempotencyKey }), ...(request.body !== undefined && { 'content-type': 'application/json' }) };
  const { url, headers } = withCredential({ settings: source.settings, secret }, request.url, own);
  const answer = await http.call({ method: operation.method, url, headers, ...(request.body !== undefined && { body: request.body }), timeoutMs: attemptMs, maxResponseBytes, signal });
  mustHaveAnswered(answer, origin);
  return { status: answer.status, contentType: answer.contentType, body: bodyOf(answer), isCut: answer.isCut };
}

function bodyOf({ body, contentType, isCut }: { body: string; contentType: string; isCut: boolean }): JsonValue {
  if (isCut || !/\bjson\b/i.test(contentType)) return body;
  try {
    return JSON.parse(body) as JsonValue;
  } catch {
    return body;
  }
}

async function callMcp({ mcp, onChange }: SourceToolDeps, { source, remoteName, secret }: { source: ToolSource; remoteName: string; secret: string | undefined }, input: JsonValue, { owner, idempotencyKey, signal }: ToolContext): Promise<JsonValue> {
  const { name, settings } = source;
  if (settings.kind !== 'mcp') throw new TypeError(`${name} is no MCP server`);
  const call = { tool: remoteName, input, idempotencyKey, timeoutMs: attemptMs, signal, onChange: () => onChange(owner.tenantId, source) };
  const { isError, output } = await mcp.call({ name, settings, secret }, call);
  // The model is told, and may try something else: the server has answered.
  if (isError) throw new DomainError('tool/refused', textOf(withoutSecret(output, secret)).slice(0, maxRefusalCharacters));
  return output;
}

const textOf = (output: JsonValue): string => (typeof output === 'string' ? output : JSON.stringify(output));
