import type { JsonValue } from '../contracts/model';
import type { HttpOperation } from '../contracts/tool-source';

type Parameter = HttpOperation['parameters'][number];

export interface ApiRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body?: string;
}

/** The request that a call of an operation comes to. @returns in words, why it comes to none. */
export function requestOf({ url, parameters, hasBody }: HttpOperation, input: JsonValue): ApiRequest | { readonly problem: string } {
  const given = typeof input === 'object' && input !== null && !Array.isArray(input) ? input : {};
  const valueOf = ({ input: name }: Parameter): JsonValue | undefined => (Object.hasOwn(given, name) ? given[name] : undefined);
  const headers: [string, string][] = [];
  const query: string[] = [];
  let target = url;
  for (const parameter of parameters) {
    const value = valueOf(parameter);
    if (parameter.in === 'path') {
      const text = simple(parameter, value, encodeURIComponent);
      // A dot or two would lead to another place of the server.
      if (text === '' || /^\.{1,2}$/.test(text)) return { problem: `${parameter.input} must not be empty, "." or "..": it is part of an address.` };
      target = target.replaceAll(`{${parameter.name}}`, () => text);
    } else if (value !== undefined && parameter.in === 'query') query.push(...queryOf(parameter, value));
    else if (value !== undefined) {
      const text = simple(parameter, value, String);
      if (!/^[\x20-\x7e]*$/.test(text)) return { problem: `${parameter.input} is sent as a header: it takes plain ASCII only.` };
      headers.push([parameter.name.toLowerCase(), text]);
    }
  }
  const isMissing = /\{[^}]*\}/.test(target);
  if (isMissing) return { problem: 'The address of this tool has a parameter that nobody describes.' };
  const body = hasBody && Object.hasOwn(given, 'body') ? { body: JSON.stringify(given['body']) } : {};
  return { url: query.length === 0 ? target : `${target}${target.includes('?') ? '&' : '?'}${query.join('&')}`, headers: Object.fromEntries(headers), ...body };
}

const plainText = (value: JsonValue | undefined): string => {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map(plainText).join(',');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

type Encode = (text: string) => string;

const isObject = (value: JsonValue): value is { [name: string]: JsonValue } => typeof value === 'object' && value !== null && !Array.isArray(value);

/** `1`, `1,2`, and of an object `a,1,b,2` or `a=1,b=2`. */
function simple({ explode, isJson }: Parameter, value: JsonValue | undefined, encode: Encode): string {
  if (value === undefined) return '';
  if (isJson) return encode(JSON.stringify(value));
  if (isObject(value) && explode) return Object.entries(value).map(([key, one]) => written(key, one, encode)).join(',');
  return partsOf(value).map(encode).join(',');
}

/** `a=1&a=2`, or all of a value behind one name. */
function queryOf({ name, explode, style, isJson }: Parameter, value: JsonValue): string[] {
  const pair = (key: string, one: JsonValue) => written(key, one, encodeURIComponent);
  if (isJson) return [pair(name, JSON.stringify(value))];
  if (style === 'deepObject' && isObject(value)) return Object.entries(value).map(([key, one]) => pair(`${name}[${key}]`, one));
  if (explode && Array.isArray(value)) return value.map((one) => pair(name, one));
  if (explode && isObject(value)) return Object.entries(value).map(([key, one]) => pair(key, one));
  const between = style === 'spaceDelimited' ? '%20' : style === 'pipeDelimited' ? '%7C' : ',';
  return [`${encodeURIComponent(name)}=${partsOf(value).map(encodeURIComponent).join(between)}`];
}

const written = (key: string, one: JsonValue, encode: Encode): string => `${encode(key)}=${encode(plainText(one))}`;

const partsOf = (value: JsonValue): string[] => (Array.isArray(value) ? value : isObject(value) ? Object.entries(value).flat() : [value]).map(plainText);
