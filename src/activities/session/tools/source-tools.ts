import { DomainError } from '../../../contracts/errors';
import { schemaCheck } from '../../../contracts/json-schema';
import type { JsonValue } from '../../../contracts/model';
import type { HttpOperation, ListedTool, ToolSource } from '../../../contracts/tool-source';
import { isAllowedOrigin } from '../../../domain/egress';
import { mustHaveAnswered } from '../../../domain/must-have-answered';
import { requestOf } from '../../../domain/openapi-request';
import { withCredential, withoutSecret } from '../../../domain/source-credential';
import { fullName, shownSchema } from '../../../domain/source-tools';
import { type DoneCall, inputOfUndo, toolNamed } from '../../../domain/source-undo';
import { isForAdministrator, saysScopeInsufficient, scopeInsufficient, tokenRefused } from '../../../domain/source-tokens';
import { shortenedTo } from '../../../domain/well-formed';
import type { HttpAnswer, HttpCaller } from '../../../ports/http-caller';
import type { Bearer, McpServers, SourceAccess, SourceCredentials } from '../../../ports/tool-sources';
import { createTool, type Tool, type ToolContext, type ToolParts, type Undoing } from './tool';

const attemptMs = 30_000;
/** Two tokens, each of which may take ten seconds. */
const tokensMs = 20_000;
const maxResponseBytes = 65_536;
const maxRefusalCharacters = 4_000;

export interface SourceToolDeps {
  readonly http: HttpCaller;
  readonly mcp: McpServers;
  readonly credentials: SourceCredentials;
  /** Told why a source's server takes nothing that it is shown, as its administrator is to hear. */
  readonly onRefusal: (tenantId: string, source: ToolSource, error: DomainError) => void;
  /** Told of a source whose tools have changed. */
  readonly onChange: (tenantId: string, source: ToolSource) => void;
}

/** The tools of one of a tenant's sources. Their calls are a stranger's requests twice over: of the model, to what the tenant named. */
export const toolsOfSource = (deps: SourceToolDeps, source: ToolSource): Tool[] => source.listing.tools.map((listed) => toolOf(deps, source, listed));

function toolOf(deps: SourceToolDeps, source: ToolSource, listed: ListedTool): Tool {
  const { name, description, inputSchema, outputSchema, effect, operation } = listed;
  const { approval } = source.settings;
  const parts: ToolParts = {
    spec: { name, description, inputSchema: shownSchema(inputSchema) },
    ...(outputSchema !== undefined && { outputSchema }),
    ...(approval && { approval }),
    timeoutMs: attemptMs + (source.settings.oauth ? tokensMs : 0) + 5_000,
    maxAttempts: 3,
    effectOf: () => effect,
    mayRepeat: () => operation.kind === 'http' && operation.takesKey,
    undoing: (done) => undoingOf(deps, source, listed, done),
    async run(input, context) {
      const target = operation.kind === 'http' ? operation.url : source.settings.url ?? '';
      const { origin } = new URL(target);
      const { tenantId } = context.owner;
      const { allowedOrigins } = context.agent;
      if (!isAllowedOrigin(allowedOrigins, target)) throw new DomainError('tool/egress-refused', `${origin} is not among the origins this tenant allows.`);
      // Read here, for this call, and handed to nobody but the client.
      const { hidden, ...shown } = hiding(await deps.credentials.of(tenantId, source, { url: target, issuers: allowedOrigins }));
      try {
        const output = operation.kind === 'http' ? await callHttp(deps, { source, operation, ...shown }, input, context) : await callMcp(deps, { source, remoteName: operation.remoteName, ...shown }, input, context);
        return hidden(output);
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        if (isForAdministrator(error.code)) deps.onRefusal(tenantId, source, error);
        // Without what it came of: that may repeat what the server was sent.
        const { retryAfterSeconds } = error;
        throw new DomainError(error.code, textOf(hidden(error.message)), { ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) });
      }
    },
  };
  return createTool(parts, schemaCheck(inputSchema));
}

/** As the source's settings say. What its server has refused was not done. */
function undoingOf(deps: SourceToolDeps, source: ToolSource, { name }: ListedTool, done: DoneCall): Undoing | 'nothing' | undefined {
  const { settings, listing } = source;
  const status = statusOf(done.output);
  if (settings.kind !== 'openapi') return undefined;
  if (status >= 400 && status < 500) return 'nothing';
  const [, way] = Object.entries(settings.undo ?? {}).find(([operation]) => fullName(source.name, operation) === name) ?? [];
  const back = way && toolNamed(source.name, listing, way.call);
  if (!way || !back) return undefined;
  const tool = toolOf(deps, source, back);
  const made = inputOfUndo(way, done);
  if ('problem' in made) return { mayRepeat: true, run: () => Promise.reject(new DomainError('tool/invalid-input', made.problem)) };
  const run = async (context: ToolContext) => mustBeTakenBack(back, await tool.run(made.input, context));
  return { by: { tool: back.name, input: made.input }, mayRepeat: back.effect !== 'write' || (back.operation.kind === 'http' && back.operation.takesKey), run };
}

/** What is not there any more was taken back: an earlier attempt may have done it. @throws DomainError `tool/refused` */
function mustBeTakenBack({ name, operation }: ListedTool, answer: JsonValue): void {
  const status = statusOf(answer);
  const isGone = operation.kind === 'http' && operation.method === 'DELETE' && (status === 404 || status === 410);
  if (!isGone && (status < 200 || status > 299)) throw new DomainError('tool/refused', `${name} was to take it back, and was answered with status ${status}.`);
}

const statusOf = (answer: JsonValue): number => Number(typeof answer === 'object' && answer !== null && !Array.isArray(answer) ? answer['status'] : 0);

type Shown = Pick<SourceAccess, 'secret' | 'bearer'>;

/** The same, with what takes all of it out of an answer: some servers send back what they were sent. */
function hiding({ secret, bearer }: Shown): Shown & { readonly hidden: (output: JsonValue) => JsonValue } {
  const tokens = new Set<string>();
  const noted: Bearer | undefined =
    bearer &&
    (async (refused) => {
      const token = await bearer(refused);
      tokens.add(token.value);
      return token;
    });
  return { secret, bearer: noted, hidden: (output) => [secret, ...tokens].reduce<JsonValue>(withoutSecret, output) };
}

async function callHttp({ http }: SourceToolDeps, { source, operation, secret, bearer }: Shown & { source: ToolSource; operation: HttpOperation }, input: JsonValue, { idempotencyKey, signal }: ToolContext): Promise<JsonValue> {
  const request = requestOf(operation, input);
  if ('problem' in request) throw new DomainError('tool/invalid-input', request.problem);
  const { origin } = new URL(request.url);
  // What is put together may lead no further than what was described.
  if (origin !== new URL(operation.url.replaceAll(/\{[^}]*\}/g, '_')).origin) throw new DomainError('tool/egress-refused', 'The address of this call is on another server.');
  const own = { ...request.headers, accept: 'application/json, text/*', ...(operation.takesKey && { 'idempotency-key': idempotencyKey }), ...(request.body !== undefined && { 'content-type': 'application/json' }) };
  const { url, headers } = withCredential({ settings: source.settings, secret }, request.url, own);
  const send = (shown: Readonly<Record<string, string>>) =>
    http.call({ method: operation.method, url, headers: { ...headers, ...shown }, ...(request.body !== undefined && { body: request.body }), timeoutMs: attemptMs, maxResponseBytes, signal });
  const answer = bearer ? await sendWithToken(send, bearer, origin) : await send({});
  mustHaveAnswered(answer, origin);
  return { status: answer.status, contentType: answer.contentType, body: bodyOf(answer), isCut: answer.isCut };
}

/** A token that is not taken is replaced once: who refuses it has done nothing. */
async function sendWithToken(send: (headers: Readonly<Record<string, string>>) => Promise<HttpAnswer>, bearer: Bearer, origin: string): Promise<HttpAnswer> {
  const show = ({ value }: { value: string }) => send({ authorization: `Bearer ${value}` });
  const first = await bearer();
  let answer = await show(first);
  if (answer.status === 401) {
    const second = await bearer(first.value);
    answer = await show(second);
    if (answer.status === 401) throw tokenRefused(origin, second);
  }
  if (saysScopeInsufficient(answer.status, answer.challenge)) throw scopeInsufficient(origin);
  return answer;
}

function bodyOf({ body, contentType, isCut }: { body: string; contentType: string; isCut: boolean }): JsonValue {
  if (isCut || !/\bjson\b/i.test(contentType)) return body;
  try {
    return JSON.parse(body) as JsonValue;
  } catch {
    return body;
  }
}

async function callMcp({ mcp, onChange }: SourceToolDeps, { source, remoteName, secret, bearer }: Shown & { source: ToolSource; remoteName: string }, input: JsonValue, { owner, idempotencyKey, signal }: ToolContext): Promise<JsonValue> {
  const { name, settings } = source;
  if (settings.kind !== 'mcp') throw new TypeError(`${name} is no MCP server`);
  const call = { tool: remoteName, input, idempotencyKey, timeoutMs: attemptMs, signal, onChange: () => onChange(owner.tenantId, source) };
  const { isError, output } = await mcp.call({ name, settings, secret, bearer }, call);
  // The model is told, and may try something else: the server has answered.
  if (isError) throw new DomainError('tool/refused', shortenedTo(textOf(output), maxRefusalCharacters));
  return output;
}

const textOf = (output: JsonValue): string => (typeof output === 'string' ? output : JSON.stringify(output));
