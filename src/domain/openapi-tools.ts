import type { JsonValue } from '../contracts/model';
import type { HttpOperation, ToolListing } from '../contracts/tool-source';
import { plainSchema } from './plain-schema';
import { inputName, Listing } from './source-tools';
import { shortenedTo } from './well-formed';

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const fieldsOf = (value: unknown): Fields => (isFields(value) ? value : {});
const listOf = (value: unknown): Fields[] => (Array.isArray(value) ? value.filter(isFields) : []);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What a method does to the world, as HTTP has it (RFC 9110, 9.2). */
const effects = { get: 'read', head: 'read', put: 'idempotent', delete: 'idempotent', post: 'write', patch: 'write' } as const;
type Method = keyof typeof effects;

/** Headers that are ours to set, or whose the secret is. */
const ownHeaders: ReadonlySet<string> = new Set(['accept', 'authorization', 'content-type', 'content-length', 'cookie', 'host', 'idempotency-key', 'connection', 'transfer-encoding']);

interface Place {
  readonly source: string;
  /** In place of the servers of the document. */
  readonly server?: string | undefined;
  /** Where the document came from: its servers may be relative to that. */
  readonly from?: string | undefined;
}

/** Whether this is a document whose operations can become tools, and why not. */
export function problemWithDocument(document: unknown): string | undefined {
  if (!isFields(document)) return 'The document is no object.';
  const version = textOf(document['openapi']);
  if (!version.startsWith('3.')) return 'The document is no OpenAPI 3 (its field "openapi" must begin with 3).';
  return isFields(document['paths']) ? undefined : 'The document has no paths.';
}

/**
 * Makes a tool of each operation of an OpenAPI 3 document.
 * @param document - its references are resolved; it may contain itself.
 */
export function toolsOfDocument(document: unknown, place: Place): ToolListing {
  const listing = new Listing(place.source);
  const root = fieldsOf(document);
  for (const [path, item] of Object.entries(fieldsOf(root['paths'])))
    for (const method of Object.keys(effects) as Method[]) {
      const operation = fieldsOf(item)[method];
      if (isFields(operation)) addOperation(listing, { root, path, item: fieldsOf(item), method, operation }, place);
    }
  const tokenEndpoint = tokenEndpointOf(root, place);
  return { ...listing.listing, ...(tokenEndpoint !== undefined && { tokenEndpoint }) };
}

/** Where clients get tokens for themselves, if a security scheme says so. */
function tokenEndpointOf(root: Fields, { from }: Place): string | undefined {
  const schemes = Object.values(fieldsOf(fieldsOf(root['components'])['securitySchemes'])).map(fieldsOf);
  const urls = schemes.filter((scheme) => scheme['type'] === 'oauth2').map((scheme) => textOf(fieldsOf(fieldsOf(scheme['flows'])['clientCredentials'])['tokenUrl']));
  const [url] = urls.filter((one) => one !== '');
  return url === undefined ? undefined : addressOf(url, from);
}

interface Found {
  readonly root: Fields;
  readonly path: string;
  readonly item: Fields;
  readonly method: Method;
  readonly operation: Fields;
}

function addOperation(listing: Listing, found: Found, place: Place): void {
  const { path, method, operation } = found;
  const name = textOf(operation['operationId']) || `${method}_${path.replaceAll(/[^A-Za-z0-9]+/g, '_').replaceAll(/^_|_$/g, '')}`;
  const server = serverOf(found, place);
  if (server === undefined) {
    listing.leaveOut(name, 'The document names no server with an address: set one.');
    return;
  }
  const parameters = parametersOf(found);
  const elsewhere = [found.item, ...parameters, operation['requestBody']].map((one) => fieldsOf(one)['$ref']).find((reference) => reference !== undefined);
  if (elsewhere !== undefined) {
    listing.leaveOut(name, `Part of it is described elsewhere (${shortenedTo(textOf(elsewhere), 200)}): only references within the document are resolved.`);
    return;
  }
  const [lost] = parameters.filter((parameter) => parameter['required'] === true || parameter['in'] === 'path').flatMap((parameter) => whyUnsent(parameter) ?? []);
  if (lost !== undefined) {
    listing.leaveOut(name, lost);
    return;
  }
  const requestBody = fieldsOf(operation['requestBody']);
  const body = jsonOf(requestBody['content']);
  if (!body && requestBody['required'] === true) {
    listing.leaveOut(name, 'Its body is no JSON.');
    return;
  }
  const inputs = inputsOf(parameters, body);
  const required = [...inputs.filter(({ parameter }) => parameter['required'] === true).map(({ input }) => input), ...(body && requestBody['required'] === true ? ['body'] : [])];
  const properties: [string, JsonValue][] = inputs.map(({ input, parameter }) => [input, describedSchema(parameter)]);
  if (body) properties.push(['body', plainSchema(body['schema'])]);
  listing.add({
    name,
    description: textOf(operation['description']) || textOf(operation['summary']) || `${method.toUpperCase()} ${path}`,
    inputSchema: { type: 'object', properties: Object.fromEntries(properties), ...(required.length > 0 && { required }), additionalProperties: false },
    effect: effects[method],
    operation: {
      kind: 'http',
      method: method.toUpperCase() as HttpOperation['method'],
      url: server.replace(/\/$/, '') + path,
      parameters: inputs.map(({ input, parameter }) => sentParameter(input, parameter)),
      hasBody: body !== undefined,
      takesKey: parameters.some((parameter) => parameter['in'] === 'header' && textOf(parameter['name']).toLowerCase() === 'idempotency-key'),
    },
  });
}

/** Those of the path, and in their place those of the operation. */
function parametersOf({ item, operation }: Found): Fields[] {
  const all = [...listOf(item['parameters']), ...listOf(operation['parameters'])];
  return [...new Map(all.map((parameter) => [`${textOf(parameter['in'])} ${textOf(parameter['name'])}`, parameter])).values()];
}

/** What the model gives for each. Of two with one name the second is called by its place, too. */
function inputsOf(parameters: readonly Fields[], body: Fields | undefined): { input: string; parameter: Fields }[] {
  const used = new Set(body ? ['body'] : []);
  return parameters.filter(isGiven).map((parameter) => {
    const name = soundInput(textOf(parameter['name']));
    const second = `${textOf(parameter['in'])}_${name.slice(0, 50)}`;
    let input = used.has(name) ? second : name;
    for (let count = 2; used.has(input); count += 1) input = `${second}_${count}`;
    used.add(input);
    return { input, parameter };
  });
}

/** `page[size]` is `page_size` to the model. */
const soundInput = (name: string): string => (inputName.test(name) ? name : name.replaceAll(/[^A-Za-z0-9_.-]+/g, '_').replaceAll(/^_|_$/g, '').slice(0, 64) || 'input');

function isGiven(parameter: Fields): boolean {
  const isOurs = parameter['in'] === 'header' && ownHeaders.has(textOf(parameter['name']).toLowerCase());
  return !isOurs && whyUnsent(parameter) === undefined;
}

/** How values can be written in each place. */
const styles = { path: ['simple'], query: ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'], header: ['simple'] } as const;
const isPlace = (place: string): place is keyof typeof styles => Object.hasOwn(styles, place);
const styleOf = (parameter: Fields): string => textOf(parameter['style']) || (parameter['in'] === 'query' ? 'form' : 'simple');

/** Why no request can bear a parameter, in words; undefined when one can. */
function whyUnsent(parameter: Fields): string | undefined {
  const [name, place, style] = [textOf(parameter['name']), textOf(parameter['in']), styleOf(parameter)];
  if (!isPlace(place)) return `Its parameter ${name} belongs to the ${place}: only paths, queries and headers are sent.`;
  if (!styles[place].some((one) => one === style)) return `Its parameter ${name} is to be written in the style ${style}.`;
  const content = parameter['content'];
  const isSent = content === undefined || jsonOf(content) !== undefined || Object.keys(fieldsOf(content)).some((type) => /^text\//i.test(type));
  return isSent ? undefined : `Its parameter ${name} is neither text nor JSON.`;
}

function sentParameter(input: string, parameter: Fields): HttpOperation['parameters'][number] {
  const [explode, style] = [parameter['explode'], styleOf(parameter)];
  return {
    input,
    name: textOf(parameter['name']),
    in: parameter['in'] as 'path' | 'query' | 'header',
    explode: typeof explode === 'boolean' ? explode : style === 'form',
    ...((style === 'spaceDelimited' || style === 'pipeDelimited' || style === 'deepObject') && { style }),
    ...(jsonOf(parameter['content']) && { isJson: true }),
  };
}

function describedSchema(parameter: Fields): JsonValue {
  const schema = plainSchema(parameter['schema'] ?? jsonOf(parameter['content'])?.['schema']);
  const description = textOf(parameter['description']);
  return description === '' || typeof schema !== 'object' ? schema : { ...(schema as Record<string, JsonValue>), description: shortenedTo(description, 500) };
}

function jsonOf(content: unknown): Fields | undefined {
  const [, media] = Object.entries(fieldsOf(content)).find(([type]) => /^application\/([\w.-]+\+)?json\b/i.test(type)) ?? [];
  return isFields(media) ? media : undefined;
}

/** The nearest one that is named; its variables as they are by default. Undefined when that is no address. */
function serverOf({ root, item, operation }: Found, { server, from }: Place): string | undefined {
  if (server !== undefined) return server;
  const [nearest] = [operation, item, root].map((level) => listOf(level['servers'])[0]).filter((one) => one !== undefined);
  const variables = fieldsOf(nearest?.['variables']);
  // A variable without a default stays as it is written, and is in no address.
  const url = textOf(nearest?.['url']).replaceAll(/\{([^}]+)\}/g, (whole, name: string) => textOf(fieldsOf(variables[name])['default']) || whole);
  return /[{}]/.test(url) ? undefined : addressOf(url === '' ? '/' : url, from);
}

function addressOf(url: string, from: string | undefined): string | undefined {
  const base = /^(https?:\/\/[^/?#]+)([^?#]*)/.exec(from ?? '');
  if (/^https?:\/\//.test(url)) return url;
  if (!base) return undefined;
  const [, origin = '', path = ''] = base;
  return url.startsWith('/') ? origin + url : `${origin}${path.replace(/[^/]*$/, '')}${url.replace(/^\.\//, '')}`;
}
