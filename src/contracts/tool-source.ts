import { z } from 'zod';
import { Ruling } from './approval';
import type { JsonValue } from './model';

/** Between a source's name and its tool's: `{source}__{tool}`. */
export const sourceSeparator = '__';

export const ToolSourceName = z.string().regex(/^[a-z](?:[a-z0-9]|-(?!-)){0,23}$/, 'a tool source is 1-24 of a-z, 0-9 and -, starting with a letter');

/** A tool of some source, or all of one (`orders__*`), as an agent's list names it. */
export const sourceToolPattern = /^[a-z][a-z0-9-]{0,23}__(?:\*|[A-Za-z0-9_-]{1,61}\*?)$/;

/** Sources of a tenant, and tools of one source. */
export const maxToolSources = 16;
export const maxToolsOfSource = 128;
/** Of a document that describes tools, in characters. */
export const maxDocumentCharacters = 1_048_576;
/** Of all that is kept of one source's tools: an item of the tenant's table. */
export const maxListingCharacters = 300_000;

/** How a source is shown who asks. The secret itself is set apart, and never shown. */
export const ToolCredential = z.strictObject({
  in: z.enum(['header', 'query']).default('header'),
  name: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'a name of 1-64 of A-Za-z0-9_-')
    .default('authorization'),
  /** Before the secret: `Bearer `, with the space. */
  prefix: z.string().max(32).regex(/^[\x20-\x7e]*$/).default('Bearer '),
});
export type ToolCredential = z.infer<typeof ToolCredential>;

const Address = z.url({ protocol: /^https?$/ }).max(2_048);

/** A client of an OAuth 2 authorization server, which gets tokens for itself (client credentials). Its secret is the source's, and goes to the token endpoint alone; tokens are shown as `authorization: Bearer`. */
export const OAuthClient = z.strictObject({
  clientId: z.string().regex(/^[\x20-\x7e]{1,256}$/, 'plain ASCII of 1-256 characters'),
  /** Default: those that the server asks for when it is called without a token. */
  scopes: z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'a scope without spaces, " and \\')).min(1).max(32).optional(),
  /** Default: the document's own, or as the MCP server says. */
  tokenEndpoint: Address.optional(),
  /** What tokens are asked for (RFC 8707). Default: the MCP server; nothing for a document. */
  resource: Address.optional(),
  /** How the client shows its secret: in a header, or in the form. Default: as the authorization server says, otherwise `basic`. */
  authentication: z.enum(['basic', 'post']).optional(),
});
export type OAuthClient = z.infer<typeof OAuthClient>;

const ofEverySource = {
  credential: ToolCredential.optional(),
  /** In place of `credential`. */
  oauth: OAuthClient.optional(),
  /** For its calls that no rule of the agent's policy fits. */
  approval: Ruling.optional(),
};

const pointerPart = '[^/~]|~[01]';
/** Into the input of the operation that takes back: `/orderId`, `/body/orderId`. */
const UndoTarget = z.string().regex(/^(?:\/(?!__proto__(?:\/|$))[A-Za-z0-9_.$-]{1,64}){1,4}$/, 'a JSON Pointer into the input, such as /orderId or /body/orderId');
/** Into `{input, output}` of the call that is taken back: `/output/body/id`. */
const UndoSource = z.string().max(512).regex(new RegExp(`^/(?:input|output)(?:/(?:${pointerPart})*)*$`), 'a JSON Pointer that begins with /input or /output, such as /output/body/id');
const OperationName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'an operation of the source, without its name: 1-64 of A-Za-z0-9_-');

/** How calls of one operation are taken back: by which other one, and where its input comes from. */
export const SourceUndo = z.strictObject({ call: OperationName, with: z.record(UndoTarget, UndoSource) });
export type SourceUndo = z.infer<typeof SourceUndo>;

const OpenApiSource = z.strictObject({
  kind: z.literal('openapi'),
  /** Where the document is; or it is sent along. */
  url: Address.optional(),
  /** In place of the server that the document names. */
  server: Address.optional(),
  /** By operations of the document, as their tools are called. */
  undo: z.record(OperationName, SourceUndo).optional(),
  ...ofEverySource,
});

const McpSource = z.strictObject({
  kind: z.literal('mcp'),
  url: Address,
  /** Whether the server's own word counts that a tool only reads, or can be repeated. Otherwise each is feared to write. */
  trustsAnnotations: z.boolean().default(false),
  ...ofEverySource,
});

/** What a tenant says of a source, without a document that was sent along. */
export const ToolSourceSettings = z
  .discriminatedUnion('kind', [OpenApiSource, McpSource])
  .refine(({ credential, oauth }) => !credential || !oauth, { path: ['oauth'], message: 'a source has a credential or an OAuth client, not both' });
export type ToolSourceSettings = z.infer<typeof ToolSourceSettings>;
export type McpSettings = Extract<ToolSourceSettings, { kind: 'mcp' }>;

const Parameter = z.object({
  input: z.string(),
  name: z.string(),
  in: z.enum(['path', 'query', 'header']),
  explode: z.boolean(),
  /** Absent: `form` in a query, `simple` elsewhere. */
  style: z.enum(['spaceDelimited', 'pipeDelimited', 'deepObject']).optional(),
  /** Whether it is written as one JSON text, whatever it is. */
  isJson: z.boolean().optional(),
});

/** One operation of an HTTP API, as it is called. */
export const HttpOperation = z.object({
  kind: z.literal('http'),
  method: z.enum(['GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'PATCH']),
  /** With parameters in braces. */
  url: z.string(),
  parameters: z.array(Parameter),
  hasBody: z.boolean(),
  /** Whether the document says that it takes an Idempotency-Key. */
  takesKey: z.boolean(),
});
export type HttpOperation = z.infer<typeof HttpOperation>;

const McpOperation = z.object({ kind: z.literal('mcp'), remoteName: z.string() });

/** A tool of a source. Its schemas are plain: no references, nothing that takes long to check. */
export const ListedTool = z.object({
  name: z.string(),
  description: z.string(),
  inputSchema: z.json(),
  outputSchema: z.json().optional(),
  effect: z.enum(['read', 'idempotent', 'write']),
  operation: z.discriminatedUnion('kind', [HttpOperation, McpOperation]),
});
export type ListedTool = z.infer<typeof ListedTool> & { readonly inputSchema: JsonValue };

export const ToolListing = z.object({
  tools: z.array(ListedTool),
  /** What the source has and no tool was made of, and why. */
  leftOut: z.array(z.object({ name: z.string(), reason: z.string() })),
  /** Where a document says that clients get tokens. */
  tokenEndpoint: z.string().optional(),
});
export type ToolListing = z.infer<typeof ToolListing>;

/** What a tenant's administrator must put right. */
export const SourceProblem = z.object({ code: z.string(), message: z.string(), at: z.iso.datetime() });
export type SourceProblem = z.infer<typeof SourceProblem>;

/** A source as it is kept. */
export const ToolSource = z.object({
  name: z.string(),
  settings: ToolSourceSettings,
  listing: ToolListing,
  /** Which servers may be shown the secret: those that were called when it was set; of an OAuth client the one that issues its tokens. Empty: there is none. */
  secretOrigins: z.array(z.string()),
  /** Of an OAuth client: which servers may be shown its tokens. */
  tokenOrigins: z.array(z.string()).optional(),
  /** Why no token was to be had for it, or taken; gone when it is listed, checked or set anew. */
  problem: SourceProblem.optional(),
  createdAt: z.iso.datetime(),
  /** When the tools were last asked for, or read from the document. */
  listedAt: z.iso.datetime(),
  /** Another with each write; sources of old have none. */
  revision: z.string().optional(),
});
export type ToolSource = z.infer<typeof ToolSource>;
