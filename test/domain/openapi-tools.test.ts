import trainTravel from '@readme/oas-examples/3.1/json/train-travel.json';
import petstore from '@readme/oas-examples/3.0/json/petstore.json';
import { readDocument } from '../../src/adapters/tool-sources/documents';
import { schemaCheck } from '../../src/contracts/json-schema';
import type { JsonValue } from '../../src/contracts/model';
import type { HttpOperation, ListedTool } from '../../src/contracts/tool-source';
import { requestOf } from '../../src/domain/openapi-request';
import { problemWithDocument, toolsOfDocument } from '../../src/domain/openapi-tools';
import { isPlain, plainSchema } from '../../src/domain/plain-schema';
import { withCredential, withoutSecret } from '../../src/domain/source-credential';
import { expanded } from '../../src/domain/source-tools';

const toolsOf = async (document: object, place: object = {}) => toolsOfDocument(await readDocument(JSON.stringify(document)), { source: 'shop', ...place });
const document = (paths: object, more: object = {}) => ({ openapi: '3.0.3', info: { title: 'x', version: '1' }, servers: [{ url: 'https://shop.example.com/v1' }], paths, ...more });
const requestFor = ({ operation }: ListedTool, input: JsonValue) => requestOf(operation as HttpOperation, input);

describe('documents that nobody here wrote', () => {
  it('make tools: names, effects, inputs, references resolved', async () => {
    const { tools } = await toolsOf(petstore);
    expect(tools.map(({ name, effect }) => [name, effect])).toEqual(
      expect.arrayContaining([
        ['shop__getPetById', 'read'],
        ['shop__deletePet', 'idempotent'],
        ['shop__addPet', 'write'],
      ]),
    );
    const addPet = tools.find(({ name }) => name === 'shop__addPet');
    const check = schemaCheck(addPet?.inputSchema ?? null);
    expect(check({ body: { name: 'Rex', photoUrls: [], category: { id: 1, name: 'dogs' } } })).toBeUndefined();
    expect(check({ body: { name: 'Rex', photoUrls: [], category: { id: 'one' } } })).toContain('/body/category/id must be integer');
    expect(check({ body: { name: 'Rex' } })).toContain('photoUrls');
    expect(JSON.stringify(tools)).not.toContain('$ref');
  });

  it('of version 3.1, too', async () => {
    const { tools } = await toolsOf(trainTravel);
    expect(tools.length).toBeGreaterThan(4);
    for (const { inputSchema } of tools) expect(() => schemaCheck(inputSchema)({})).not.toThrow();
  });
});

describe('what is described elsewhere', () => {
  const id = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };
  const elsewhere = { $ref: 'https://shop.example.com/parts.yaml#/x' };

  it.each([
    ['an optional or required parameter', { '/orders/{id}': { get: { operationId: 'order', parameters: [id, elsewhere] } } }],
    ['a parameter of its path', { '/orders': { parameters: [elsewhere], get: { operationId: 'order' } } }],
    ['its body', { '/orders': { post: { operationId: 'order', requestBody: elsewhere } } }],
  ])('leaves out an operation, and says why: %s', async (_what, paths) => {
    const { tools, leftOut } = await toolsOf(document({ ...paths, '/shop': { get: { operationId: 'shop' } } }));
    expect(tools.map(({ name }) => name)).toEqual(['shop__shop']);
    expect(leftOut).toEqual([{ name: 'order', reason: 'Part of it is described elsewhere (https://shop.example.com/parts.yaml#/x): only references within the document are resolved.' }]);
  });
});

describe('a call', () => {
  const paths = { '/orders/{id}': { post: { operationId: 'order', parameters: [
    { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
    { name: 'tag', in: 'query', schema: { type: 'array', items: { type: 'string' } } },
    { name: 'X-Shop', in: 'header', schema: { type: 'string' } },
    { name: 'Idempotency-Key', in: 'header', required: true, schema: { type: 'string' } },
  ], requestBody: { content: { 'application/json': { schema: { type: 'object' } } } } } } };

  it('goes where the document says, with its parameters in their places', async () => {
    const { tools: [order] } = await toolsOf(document(paths));
    expect(order?.operation).toMatchObject({ method: 'POST', takesKey: true });
    expect(order?.inputSchema).toMatchObject({ required: ['id'] });
    expect(requestFor(order as ListedTool, { id: 'a b', tag: ['x', 'y&z'], 'X-Shop': 'one', body: { n: 1 } })).toEqual({
      url: 'https://shop.example.com/v1/orders/a%20b?tag=x&tag=y%26z',
      headers: { 'x-shop': 'one' },
      body: '{"n":1}',
    });
  });

  it('takes names that models take, each once, and asks under the real ones', async () => {
    const names = ['page[size]', '$filter', 'page_size', 'page(size)', 'page{size}', 'sort.by', '€', 'x'.repeat(70)];
    const parameters = names.map((name) => ({ name, in: 'query', schema: { type: 'string' } }));
    const { tools: [list] } = await toolsOf(document({ '/orders': { get: { operationId: 'list', parameters } } }));
    const inputs = ['page_size', 'filter', 'query_page_size', 'query_page_size_2', 'query_page_size_3', 'sort.by', 'input', 'x'.repeat(64)];
    expect(list?.inputSchema).toHaveProperty('properties', Object.fromEntries(inputs.map((input) => [input, { type: 'string' }])));
    const request = requestFor(list as ListedTool, Object.fromEntries(inputs.map((input, index) => [input, `v${index}`])));
    expect([...new URL((request as { url: string }).url).searchParams]).toEqual(names.map((name, index) => [name, `v${index}`]));
  });

  const list = { type: 'array', items: { type: 'string' } };
  const range = { type: 'object', properties: { gte: { type: 'integer' }, lt: { type: 'integer' } } };
  it.each<[object, JsonValue, string]>([
    [{ schema: list }, ['a,b', 'c'], '?in=a%2Cb&in=c'],
    [{ schema: list, explode: false }, ['a,b', 'c'], '?in=a%2Cb,c'],
    [{ schema: range }, { gte: 1, lt: 9 }, '?gte=1&lt=9'],
    [{ schema: range, explode: false }, { gte: 1, lt: 9 }, '?in=gte,1,lt,9'],
    [{ schema: range, style: 'deepObject' }, { gte: 1, lt: 9 }, '?in%5Bgte%5D=1&in%5Blt%5D=9'],
    [{ schema: range, style: 'deepObject', explode: true }, { gte: 1, lt: 9 }, '?in%5Bgte%5D=1&in%5Blt%5D=9'],
    [{ schema: list, style: 'pipeDelimited' }, ['a', 'b'], '?in=a%7Cb'],
    [{ schema: list, style: 'spaceDelimited' }, ['a', 'b'], '?in=a%20b'],
    [{ schema: list, style: 'pipeDelimited', explode: true }, ['a', 'b'], '?in=a&in=b'],
    [{ content: { 'application/json': { schema: range } } }, { gte: 1 }, '?in=%7B%22gte%22%3A1%7D'],
    [{ content: { 'application/json': { schema: list } } }, ['a'], '?in=%5B%22a%22%5D'],
    [{ in: 'path', schema: list }, ['a', 'b/c'], '/a,b%2Fc'],
    [{ in: 'path', schema: range }, { gte: 1, lt: 9 }, '/gte,1,lt,9'],
    [{ in: 'path', schema: range, explode: true }, { gte: 1, lt: 9 }, '/gte=1,lt=9'],
  ])('writes a parameter as the document says: %j', async (parameter, value, written) => {
    const path = 'in' in parameter ? '/orders/{in}' : '/orders';
    const { tools: [tool] } = await toolsOf(document({ [path]: { get: { parameters: [{ name: 'in', in: 'query', ...parameter }] } } }));
    expect(requestFor(tool as ListedTool, { in: value })).toHaveProperty('url', `https://shop.example.com/v1/orders${written}`);
  });

  it('writes objects into headers, and lists', async () => {
    const parameters = [{ name: 'X-A', in: 'header', schema: range }, { name: 'X-B', in: 'header', schema: range, explode: true }, { name: 'X-C', in: 'header', content: { 'application/json': { schema: list } } }];
    const { tools: [tool] } = await toolsOf(document({ '/orders': { get: { parameters } } }));
    const headers = { 'x-a': 'gte,1,lt,9', 'x-b': 'gte=1,lt=9', 'x-c': '["a"]' };
    expect(requestFor(tool as ListedTool, { 'X-A': { gte: 1, lt: 9 }, 'X-B': { gte: 1, lt: 9 }, 'X-C': ['a'] })).toHaveProperty('headers', headers);
  });

  it('is left out when it needs what cannot be written, and goes without what it does not need', async () => {
    const get = (operationId: string, parameter: object) => ({ get: { operationId, parameters: [parameter] } });
    const { tools, leftOut } = await toolsOf(document({
      '/a/{id}': get('matrix', { name: 'id', in: 'path', style: 'matrix', schema: {} }),
      '/b/{id}': get('label', { name: 'id', in: 'path', style: 'label', schema: {} }),
      '/c': get('cookie', { name: 'session', in: 'cookie', required: true, schema: {} }),
      '/d': get('xml', { name: 'filter', in: 'query', required: true, content: { 'application/xml': {} } }),
      '/e': get('optional', { name: 'filter', in: 'query', content: { 'application/xml': {} } }),
    }));
    expect(leftOut.map(({ name }) => name)).toEqual(['matrix', 'label', 'cookie', 'xml']);
    expect(leftOut[0]?.reason).toContain('matrix');
    expect(tools.map(({ inputSchema }) => inputSchema)).toEqual([{ type: 'object', properties: {}, additionalProperties: false }]);
  });

  it.each(['..', '.', ''])('never leads to another place of the server: %p', async (id) => {
    const { tools: [order] } = await toolsOf(document(paths));
    expect(requestFor(order as ListedTool, { id })).toHaveProperty('problem');
    expect(requestFor(order as ListedTool, { id: [id] })).toHaveProperty('problem');
    expect(requestFor(order as ListedTool, { id: '../../admin?x=1#y' })).toMatchObject({ url: 'https://shop.example.com/v1/orders/..%2F..%2Fadmin%3Fx%3D1%23y' });
    expect(requestFor(order as ListedTool, { id: 'x', 'X-Shop': 'a\r\nhost: evil' })).toHaveProperty('problem');
  });

  it('shows the secret in its place, and its answer does not', () => {
    const shown = { settings: { credential: { in: 'header', name: 'X-Key', prefix: '' } as const }, secret: 'canary-"1"' };
    expect(withCredential(shown, 'https://a.example/', {}).headers).toEqual({ 'x-key': 'canary-"1"' });
    expect(withCredential({ ...shown, settings: { credential: { in: 'query', name: 'key', prefix: '' } } }, 'https://a.example/?a=1', {}).url).toBe('https://a.example/?a=1&key=canary-%221%22');
    expect(JSON.stringify(withoutSecret({ sent: ['x-key: canary-"1"', 'canary-%221%22', '{"k":"canary-\\"1\\""}'] }, shown.secret))).not.toContain('canary');
  });
});

describe('a schema of which something is left out', () => {
  it.each<[object, JsonValue]>([
    [{ oneOf: [{ type: 'string', pattern: '^cus_' }, { type: 'string', pattern: '^acc_' }] }, 'cus_1'],
    [{ oneOf: [{ type: 'string', format: 'uuid' }, { type: 'string', format: 'email' }] }, 'a@b.example'],
    [{ oneOf: [{ minLength: 1, pattern: 'a' }, { pattern: 'b' }], anyOf: [{ type: 'string' }, { type: 'null' }] }, 'a'],
    [{ type: 'string', not: { pattern: '^/' } }, 'a'],
    [{ type: 'object', properties: { a: {} }, patternProperties: { '^x-': {} }, additionalProperties: false }, { 'x-a': 1 }],
    [{ type: 'object', required: ['id', 'name'], properties: { id: { type: 'string', readOnly: true }, name: {} } }, { name: 'n' }],
    [{ type: 'number', multipleOf: 0.01 }, 19.99],
  ])('allows what it allowed: %j', (schema, value) => {
    expect(schemaCheck(plainSchema(schema))(value)).toBeUndefined();
  });

  it('still asks for what it can ask for', () => {
    const schema = plainSchema({ type: 'object', required: ['name'], properties: { name: {}, by: { oneOf: [{ const: 'a' }, { const: 'b' }] } }, additionalProperties: false });
    const check = schemaCheck(schema);
    expect([{}, { name: 1, by: 'c' }, { name: 1, more: 1 }, { name: 1, by: 'a' }].map((value) => check(value) === undefined)).toEqual([false, false, false, true]);
  });

  it('is not taken where it is to be relied on', () => {
    expect([{ oneOf: [{ const: 'a' }, { const: 'b' }], not: { const: 'c' } }, { not: { pattern: '^/' } }].map(isPlain)).toEqual([true, false]);
  });
});

describe('a document that means harm', () => {
  it('is bounded: what contains itself, what doubles itself, what nobody can check in time', async () => {
    const schemas: Record<string, unknown> = { self: { type: 'object', properties: { again: { $ref: '#/components/schemas/self' } } }, slow: { type: 'string', pattern: '^(a+)+$' } };
    for (let level = 0; level < 30; level += 1) schemas[`s${level}`] = { allOf: [{ $ref: `#/components/schemas/s${level + 1}` }, { $ref: `#/components/schemas/s${level + 1}` }] };
    schemas['s30'] = { type: 'object' };
    const body = (name: string) => ({ post: { operationId: name, requestBody: { content: { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } } } } });
    const { tools, leftOut } = await toolsOf(document({ '/a': body('self'), '/b': body('s0'), '/c': body('slow') }, { components: { schemas } }));
    expect([tools.length, leftOut]).toEqual([3, []]);
    expect(JSON.stringify(tools).length).toBeLessThan(100_000);
    // Nobody lives to see the end of a check against it.
    expect(JSON.stringify(tools)).not.toContain('(a+)+');
    for (const { inputSchema } of tools) schemaCheck(inputSchema)({ body: `${'a'.repeat(50_000)}!` });
  });

  it.each([
    ['no JSON and no YAML', '{"a": ['],
    ['aliases of aliases', `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcd'.split('').map((name, index) => `${name}: &${name} [${Array.from({ length: 10 }, () => `*${'abcdefghi'[index] ?? ''}`).join(',')}]`).join('\n')}`],
    ['a reference to nowhere', '{"openapi":"3.0.0","paths":{"$ref":"#/nowhere"}}'],
    ['a text', '"hello"'],
  ])('is refused: %s', async (_what, text) => {
    await expect(readDocument(text)).rejects.toMatchObject({ code: 'tool-source/invalid' });
  });

  it('is not followed to elsewhere, and not taken when it is of another kind', async () => {
    const { tools } = await toolsOf(document({ '/a': { post: { operationId: 'a', requestBody: { content: { 'application/json': { schema: { $ref: 'http://169.254.169.254/schema' } } } } } } }));
    expect(tools[0]?.inputSchema).toMatchObject({ properties: { body: {} } });
    expect(problemWithDocument({ swagger: '2.0', paths: {} })).toContain('OpenAPI 3');
    expect((await toolsOf({ ...document({ '/a': { get: {} } }), servers: [] })).leftOut).toHaveLength(1);
    const nameless = { ...document({ '/a': { get: {} } }), servers: [{ url: 'https://{region}/v1', variables: { region: { enum: ['eu', 'us'] } } }] };
    expect((await toolsOf(nameless)).leftOut).toMatchObject([{ reason: expect.stringContaining('no server') as string }]);
  });

  it('cannot make a property a prototype, nor a checker stop', () => {
    const schema = plainSchema(JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"}},"required":[1],"enum":[],"minLength":-1,"type2":5}'));
    expect(schema).toEqual(JSON.parse('{"type":"object","properties":{"__proto__":{"type":"string"}}}'));
    expect(schemaCheck(schema)({})).toBeUndefined();
  });
});

it('takes the tools of a source by a pattern, and no built-in one', () => {
  expect(expanded(['recall', 'shop__*', 'shop__a'], ['recall', 'remember', 'shop__a', 'shop__b', 'other__c'])).toEqual(['recall', 'shop__a', 'shop__b']);
  expect(expanded(['*'], ['recall', 'shop__a'])).toEqual(['shop__a']);
});

it('cuts long words between characters: half of one would spoil the request to the model', async () => {
  const long = (most: number) => `${'x'.repeat(most - 1)}🚲 and more`;
  const operation = { operationId: 'order', description: long(1_000), parameters: [{ name: 'id', in: 'query', description: long(500), schema: { type: 'string' } }, { name: 'note', in: 'query', schema: { type: 'string', description: long(500) } }] };
  const { tools: [tool] } = await toolsOf({ openapi: '3.0.3', info: { title: 'A shop', version: '1' }, servers: [{ url: 'https://shop.example.com' }], paths: { '/orders': { get: operation } } });
  const { id, note } = (tool?.inputSchema as { properties: Record<'id' | 'note', { description: string }> }).properties;
  const texts = [tool?.description ?? '', id.description, note.description];
  expect(texts.every((text) => text.isWellFormed())).toBe(true);
  expect(texts.map((text) => text.at(-1))).toEqual(['x', 'x', 'x']);
});
