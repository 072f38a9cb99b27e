import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { openApiDocument } from '../../src/api/openapi';
import { declaredRoutes } from './requests';

const document = openApiDocument(declaredRoutes, '1.2.3');
const paths = document['paths'] as Record<string, Record<string, { operationId: string }>>;

/** The validator is published as an ES module, which jest does not load: it runs as its own program. */
it('is valid OpenAPI 3.1', async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'tenure-openapi-'));
  const file = path.join(directory, 'openapi.json');
  await writeFile(file, JSON.stringify(document));
  const program = path.resolve('node_modules/@seriousme/openapi-schema-validator/bin/validate-api-cli.js');
  await expect(promisify(execFile)(process.execPath, [program, file])).resolves.toBeDefined();
  await rm(directory, { recursive: true });
});

/** The parser takes no body for an empty one: the document must not ask for more. */
it('requires a body exactly where an empty one is refused', () => {
  const described = document['paths'] as Record<string, Record<string, { requestBody?: { required: boolean } }>>;
  for (const { path, method, body, takesFile } of declaredRoutes) expect([path, described[path]?.[method]?.requestBody?.required]).toEqual([path, takesFile ? true : body && !body.safeParse({}).success]);
});

/** What AgentCore and Temporal send is theirs: they may add to it. */
const bodiesOfOthers = ['/invocations', '/codec/decode', '/codec/encode', '/codec/sign-in'];

it('takes nothing in a body that it does not know: a typing error would be left out, and the request done without it', () => {
  const { schemas } = document['components'] as { schemas: Record<string, unknown> };
  const open: string[] = [];
  const seen = new Set<string>();
  const walk = (schema: unknown, at: string): void => {
    if (typeof schema !== 'object' || schema === null) return;
    const { $ref, properties, additionalProperties } = schema as { $ref?: string; properties?: object; additionalProperties?: unknown };
    const name = $ref?.split('/').at(-1);
    if (name !== undefined && !seen.has(name)) {
      seen.add(name);
      walk(schemas[name], name);
    }
    if (properties && additionalProperties !== false) open.push(at);
    for (const [key, part] of Object.entries(schema)) walk(part, `${at}/${key}`);
  };
  const described = document['paths'] as Record<string, Record<string, { requestBody?: object }>>;
  for (const [path, methods] of Object.entries(described)) if (!bodiesOfOthers.includes(path)) for (const [method, { requestBody }] of Object.entries(methods)) walk(requestBody, `${method} ${path}`);
  expect(seen).toContain('AgentSettingsInput');
  expect(open).toEqual([]);
});

it('describes a body of every answer but the empty one', () => {
  const described = Object.values(document['paths'] as Record<string, Record<string, { responses: Record<string, { content?: object }> }>>).flatMap((methods) => Object.values(methods).flatMap(({ responses }) => Object.entries(responses)));
  const answers = described.filter(([status]) => status !== 'default');
  expect(answers.filter(([status, { content }]) => (status === '204') === (content !== undefined))).toEqual([]);
  expect(answers.filter(([status]) => status === '204').length).toBeGreaterThan(4);
});

it('says which headers an answer may be held to, and what it is asked with', () => {
  interface Described {
    readonly parameters: readonly { readonly name: string }[];
    readonly responses: Record<string, { readonly headers?: object }>;
  }
  const budgets = paths['/api/v1/tenants/{tenantId}/budgets'] as unknown as Record<'get' | 'put', Described>;
  expect(Object.keys(budgets.get.responses['200']?.headers ?? {})).toEqual(['X-Request-Id', 'ETag']);
  expect(budgets.put.parameters.map(({ name }) => name)).toContain('If-Match');
  const events = paths['/api/v1/tenants/{tenantId}/sessions/{sessionId}/events'] as unknown as Record<'get', Described>;
  expect(events.get.parameters.map(({ name }) => name)).toContain('Last-Event-ID');
  expect(Object.keys((document['components'] as { responses: { Problem: { headers: object } } }).responses.Problem.headers)).toContain('Retry-After');
});

it('says that all answers of something made or begun lead to it, and no others', () => {
  const described = Object.entries(paths as unknown as Record<string, Record<string, { responses: Record<string, { headers?: object }> }>>);
  const answers = described.flatMap(([path, methods]) => Object.entries(methods).flatMap(([method, { responses }]) => Object.entries(responses).map(([status, { headers = {} }]) => ({ at: `${method} ${path}`, status, leads: 'Location' in headers }))));
  expect(answers.filter(({ status, leads }) => leads !== ['201', '202'].includes(status))).toEqual([]);
  expect(answers.filter(({ leads }) => leads).length).toBeGreaterThan(30);
});

it('says which headers the answers of a route have', () => {
  const headersOf = (path: string, status: number) => Object.keys((paths[path] as unknown as Record<'post', { responses: Record<number, { headers: object }> }>).post.responses[status]?.headers ?? {});
  expect(headersOf('/api/v1/tenants', 202)).toContain('Location');
  expect(headersOf('/api/v1/tenants/{tenantId}/agents', 201)).toEqual(['X-Request-Id', 'Location', 'ETag']);
  expect(['201', '202'].map((status) => headersOf('/api/v1/tenants/{tenantId}/sessions/{sessionId}/fork', Number(status)).includes('Location'))).toEqual([true, true]);
  expect([200, 202].map((status) => headersOf('/api/v1/tenant/{tenantId}/agent', status).includes('Location'))).toEqual([false, true]);
});

it('describes the sign-in for browsers: its form, and the cookie that it sets', () => {
  const { '/codec/sign-in': signIn, '/codec/decode': decode } = paths as unknown as Record<string, { post: { requestBody: { content: object }; security: object[] } }>;
  expect(Object.keys(signIn?.post.requestBody.content ?? {})).toEqual(['application/x-www-form-urlencoded', 'application/json']);
  expect(decode?.post.security).toEqual([{ operator: [] }, { operatorCookie: [] }]);
  expect(document['components']).toMatchObject({ securitySchemes: { operatorCookie: { type: 'apiKey', in: 'cookie', name: 'tenure-operator' } } });
});

it('names every operation once', () => {
  const ids = Object.values(paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
  expect(new Set(ids).size).toBe(declaredRoutes.length);
  expect(ids.every((id) => /^[a-zA-Z0-9]+$/.test(id))).toBe(true);
});

it('leads every reference somewhere', () => {
  const { schemas, responses } = document['components'] as Record<'schemas' | 'responses', object>;
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(schemas|responses)\/([^"]+)"/g)];
  expect(references.length).toBeGreaterThan(10);
  for (const [, kind, name] of references) expect(Object.keys(kind === 'schemas' ? schemas : responses)).toContain(name);
  expect(JSON.stringify(document)).not.toContain('$defs');
});
