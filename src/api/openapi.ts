import { z } from 'zod';
import { errors } from '../contracts/errors';
import { Operation } from '../contracts/operation';
import { operatorCookie } from '../contracts/names';
import { SessionEvent } from '../contracts/events';
import { SessionRecord } from '../contracts/session';
import { AgentConfig, AgentSettings, TenantRecord } from '../contracts/tenant';
import { Problem } from './problem';
import { hasLocation, type Route } from './route';

type Json = Record<string, unknown>;

/** Schemas that get a name of their own in the document; the others stand where they are used. */
const named = z.registry<{ id: string }>();
named.add(Problem, { id: 'Problem' });
named.add(Operation, { id: 'Operation' });
named.add(TenantRecord, { id: 'Tenant' });
named.add(SessionRecord, { id: 'Session' });
named.add(SessionEvent, { id: 'SessionEvent' });
named.add(AgentConfig, { id: 'AgentConfig' });
named.add(AgentSettings, { id: 'AgentSettings' });

/** OpenAPI 3.1, made from the routes themselves. @see https://spec.openapis.org/oas/v3.1.1.html */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const schemas = new Schemas();
  const paths: Record<string, Json> = {};
  for (const route of routes) paths[route.path] = { ...paths[route.path], [route.method]: operationOf(route, schemas) };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tenure',
      version,
      description: 'Run AI agents for every one of your customers.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: {
      schemas: schemas.components,
      responses: { Problem: problemResponse(schemas) },
      securitySchemes: {
        tenant: bearer("Access token of the tenant's own Cognito pool, of one of its users or machine clients, or an API key of the tenant"),
        operator: bearer("Access token of the operators' Cognito pool"),
        operatorCookie: { type: 'apiKey', in: 'cookie', name: operatorCookie, description: 'What `/codec/sign-in` sets. It counts in requests of pages of the Temporal UI alone' },
      },
    },
  };
}

const bearer = (description: string) => ({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description });

const headerOf = (description: string, type: 'string' | 'integer' = 'string'): Json => ({ description, schema: { type } });

/** By name, as answers have them. */
const responseHeaders = {
  'X-Request-Id': headerOf('To quote when asking about the request'),
  Location: headerOf('Leads to what was made, or to where it is told of'),
  ETag: headerOf('The revision of what is shown, for `If-Match`'),
  'Retry-After': headerOf('After how many seconds it may be tried again', 'integer'),
  'WWW-Authenticate': headerOf('With 401: what is asked for'),
  'RateLimit-Limit': headerOf('How much may be asked at once', 'integer'),
  'RateLimit-Remaining': headerOf('What of that is left', 'integer'),
  'RateLimit-Reset': headerOf('After how many seconds all of it is', 'integer'),
} as const;

const headersNamed = (...names: readonly (keyof typeof responseHeaders)[]): Json => Object.fromEntries(names.map((name) => [name, responseHeaders[name]]));

const problemResponse = (schemas: Schemas) => ({
  description: `A problem (RFC 9457). Its code is one of: ${Object.keys(errors).join(', ')}`,
  headers: headersNamed('X-Request-Id', 'Retry-After', 'WWW-Authenticate', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset'),
  content: { 'application/problem+json': { schema: schemas.of(Problem, 'output') } },
});

function operationOf(route: Route, schemas: Schemas): Json {
  const { access, method, path, summary, body, takesFile, takesForm = false } = route;
  return {
    operationId: `${method}${path.replaceAll(/[^a-zA-Z0-9]+(\w)/g, (_match, letter: string) => letter.toUpperCase()).replace(/\W+$/, '')}`,
    summary,
    security: schemesOf(access).map((scheme) => ({ [scheme]: [] })),
    ...(access !== 'public' && { description: `Needs the permission \`${access.permission}\`.` }),
    parameters: [...parametersOf('path', route, schemas), ...parametersOf('query', route, schemas), ...headersOf(route)],
    ...(takesFile && { requestBody: { required: true, content: filesOf(takesFile) } }),
    ...(body && { requestBody: { required: !body.safeParse({}).success, content: contentOf(schemas.of(body, 'input'), takesForm) } }),
    responses: responsesOf(route, schemas),
  };
}

const contentOf = (schema: Json, takesForm: boolean): Json => ({ ...(takesForm && { 'application/x-www-form-urlencoded': { schema } }), 'application/json': { schema } });

/** Bytes as they are, of one of these types. */
const filesOf = (mediaTypes: readonly string[]): Json => Object.fromEntries(mediaTypes.map((mediaType) => [mediaType, { schema: { type: 'string', format: 'binary' } }]));

/** Any of them will do. */
function schemesOf(access: Route['access']): readonly string[] {
  if (access === 'public') return [];
  if (access.realm === 'either') return ['tenant', 'operator'];
  return access.fromTemporalUi ? ['operator', 'operatorCookie'] : [access.realm];
}

function responsesOf({ status, summary, response, streams, hasPage, isPage, isLines, hasLines, givesFile, tellsRevision = false, otherStatuses = {} }: Route, schemas: Schemas): Json {
  const headersOfStatus = (of: number) => headersNamed('X-Request-Id', ...(hasLocation(of) ? ['Location' as const] : []), ...(tellsRevision ? ['ETag' as const] : []));
  if (givesFile) return { [status]: { description: summary, headers: headersOfStatus(status), content: filesOf(givesFile) }, default: { $ref: '#/components/responses/Problem' } };
  const json = isPage ? { 'text/html': { schema: { type: 'string' } } } : { [isLines ? 'application/jsonl' : 'application/json']: { schema: schemas.of(response, 'output') } };
  const events = { 'text/event-stream': { schema: { type: 'string', description: 'Server-sent events; the id of each is its cursor' } } };
  const lines = { 'application/jsonl': { schema: { type: 'string', description: 'Everything that lists page by page, a line of JSON each' } } };
  const page = { 'text/html': { schema: { type: 'string', description: 'A page to read and print' } } };
  const answer = (of: number, description: string, content: Record<string, Json>): Json => ({ description, headers: headersOfStatus(of), ...(of !== 204 && { content }) });
  const others = Object.entries(otherStatuses).map(([other, description]): [string, Json] => [other, answer(Number(other), description, json)]);
  return {
    [status]: answer(status, summary, { ...json, ...(streams && events), ...(hasLines && lines), ...(hasPage && page) }),
    ...Object.fromEntries(others),
    default: { $ref: '#/components/responses/Problem' },
  };
}

function parametersOf(place: 'path' | 'query', route: Route, schemas: Schemas): Json[] {
  const schema = place === 'path' ? route.params : route.query;
  const { properties = {}, required = [] } = (schema ? schemas.of(schema, 'input') : {}) as { properties?: Record<string, Json>; required?: string[] };
  return Object.entries(properties).map(([name, property]) => ({ name, in: place, required: required.includes(name), schema: property }));
}

function headersOf({ method, idempotent, heedsRevision, streams, headers = {} }: Route): Json[] {
  const header = (name: string, description: string, schema: Json, required = false): Json => ({ name, in: 'header', required, schema: { type: 'string', ...schema }, description });
  return [
    ...Object.entries(headers).map(([name, { description, pattern }]) => header(name, description, { pattern: pattern.source }, true)),
    ...(idempotent ? [header('Idempotency-Key', 'A request repeated with its key finds what it made the first time', { minLength: 1, maxLength: 255 })] : []),
    ...(heedsRevision ? [header('If-Match', 'The `ETag` that was seen: it is done only if that is still so', { pattern: '^(\\*|"[0-9]{1,15}")$' })] : []),
    ...(streams && method === 'get' ? [header('Last-Event-ID', 'The id of the event that came last: the stream goes on behind it', {})] : []),
  ];
}

const definitions = '#/$defs/';

/** JSON Schemas of zod's; what zod refers to by name moves into the document's components. */
class Schemas {
  readonly components: Record<string, Json> = {};

  of(schema: z.ZodType, io: 'input' | 'output'): Json {
    const made = z.toJSONSchema(schema, {
      io,
      metadata: named,
      // Answers may gain properties: clients must not rely on there being no others.
      override({ jsonSchema }) {
        if (io === 'output') delete jsonSchema.additionalProperties;
      },
    });
    const { $defs = {}, ...root } = made as { $defs?: Record<string, Json> } & Json;
    delete root['$schema'];
    const names = new Map(Object.keys($defs).map((name) => [name, this.nameOf(name, io)]));
    for (const [name, definition] of Object.entries($defs)) this.components[names.get(name) ?? name] = moved(definition, names);
    return moved(root, names);
  }

  /** What a request may leave out an answer has: a schema used both ways has two names. Zod's own `__schema0` is only unique here. */
  private nameOf(name: string, io: 'input' | 'output'): string {
    if (name.startsWith('__')) return `Anonymous${Object.keys(this.components).length}${name.replace('__schema', '_')}`;
    return io === 'input' ? `${name}Input` : name;
  }
}

/** The same schema, its references led to where the definitions went. */
const moved = (schema: Json, names: ReadonlyMap<string, string>): Json =>
  JSON.parse(JSON.stringify(schema), (key, value: unknown) =>
    key === '$ref' && typeof value === 'string' && value.startsWith(definitions)
      ? `#/components/schemas/${names.get(value.slice(definitions.length)) ?? ''}`
      : value,
  ) as Json;
