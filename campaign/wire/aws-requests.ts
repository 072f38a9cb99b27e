import type { IncomingHttpHeaders } from 'node:http';
import type { Fault, WireRequest } from './rules';

export interface RawRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** How a service spells requests and errors. */
type Protocol = 'json' | 'query' | 's3' | 'rest' | 'cbor';

/** Larger bodies are data, not requests. */
const longestReadBytes = 1_048_576;

/** Service and action of a request to any AWS service, as its SDK sends it. */
export function describeAwsRequest(request: RawRequest): WireRequest {
  const { method, url, headers, body } = request;
  const service = /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//.exec(headers.authorization ?? '')?.[1] ?? 'unsigned';
  const protocol = protocolOf(request);
  const address = decodeLoosely(url);
  const content = body.byteLength > longestReadBytes ? '' : body.toString('utf8');
  const text = `${address}\n${protocol === 'query' ? decodeLoosely(content.replaceAll('+', ' ')) : content}`;
  return { service, action: actionOf(protocol, request) ?? `${method} ${address}`, text };
}

function protocolOf({ headers }: RawRequest): Protocol {
  if (headers['smithy-protocol'] === 'rpc-v2-cbor') return 'cbor';
  if (headers['x-amz-target'] !== undefined) return 'json';
  if (headers['content-type']?.startsWith('application/x-www-form-urlencoded')) return 'query';
  return headers.authorization?.includes('/s3/aws4_request') ? 's3' : 'rest';
}

function actionOf(protocol: Protocol, { url, headers, body }: RawRequest): string | undefined {
  if (protocol === 'json') return String(headers['x-amz-target']).split('.').at(-1);
  if (protocol === 'query') return new URLSearchParams(body.toString('utf8')).get('Action') ?? undefined;
  if (protocol === 'cbor') return /\/operation\/([^/?]+)/.exec(url)?.[1];
  return undefined;
}

function decodeLoosely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** The error as the service itself would say it. */
export function refusalOf(request: RawRequest, { code, message, status }: Fault & { kind: 'refuse' }): Refusal {
  const xml = (body: string) => ({ status, headers: { 'content-type': 'text/xml' }, body: `<?xml version="1.0"?>${body}` });
  const error = `<Code>${code}</Code><Message>${message}</Message>`;
  switch (protocolOf(request)) {
    case 's3':
      return xml(`<Error>${error}</Error>`);
    case 'query':
      return xml(`<ErrorResponse><Error><Type>Sender</Type>${error}</Error><RequestId>wire</RequestId></ErrorResponse>`);
    case 'cbor':
      return { status, headers: { 'content-type': 'application/cbor', 'smithy-protocol': 'rpc-v2-cbor' }, body: cborMap({ __type: code, message }) };
    case 'json':
    case 'rest':
      return { status, headers: { 'content-type': 'application/json', 'x-amzn-errortype': code }, body: JSON.stringify({ __type: code, message }) };
  }
}

/** A map of short texts (RFC 8949). */
const cborMap = (entries: Readonly<Record<string, string>>): Buffer =>
  Buffer.concat([Buffer.from([0xa0 + Object.keys(entries).length]), ...Object.entries(entries).flat().map(cborText)]);

function cborText(text: string): Buffer {
  const bytes = Buffer.from(text);
  const head = Buffer.from([0x79, bytes.length >> 8, bytes.length & 0xff]);
  return Buffer.concat([head, bytes]);
}
