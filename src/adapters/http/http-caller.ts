import { lookup } from 'node:dns/promises';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { DomainError } from '../../contracts/errors';
import { endingWith } from '../../ending';
import type { HttpAnswer, HttpCall, HttpCaller } from '../../ports/http-caller';
import { createEgressRules } from './egress-rules';

export interface EgressSettings {
  /** Addresses and ranges that may be called although they are not public. */
  readonly privateAddresses: readonly string[];
  /** All addresses of a name. Default: as the system resolves it. */
  readonly resolve?: (hostname: string) => Promise<readonly string[]>;
}

const maxContentTypeCharacters = 256;
const maxChallengeCharacters = 4_096;

/** Calls out over connections that are checked and pinned, and reads so much of the answer. */
export function createHttpCaller(send: PinnedSender): HttpCaller {
  return {
    async call(request) {
      const target = new URL(request.url);
      using ending = endingWith([request.signal], request.timeoutMs);
      try {
        const response = await send(target, request, ending.signal);
        const read = await readUpTo(response, request.maxResponseBytes);
        // A response that is given up ends as if it were whole.
        ending.signal.throwIfAborted();
        const contentType = (response.headers['content-type'] ?? '').slice(0, maxContentTypeCharacters);
        const challenge = response.headers['www-authenticate']?.slice(0, maxChallengeCharacters);
        const retryAfter = response.headers['retry-after'];
        return { status: response.statusCode ?? 0, contentType, ...read, ...(challenge !== undefined && { challenge }), ...(retryAfter !== undefined && { retryAfter }) };
      } catch (error) {
        if (request.signal.aborted || error instanceof DomainError) throw error;
        throw new DomainError('tool/failed', `${target.origin} gave no answer.`, { cause: error });
      }
    },
  };
}

type SentRequest = Pick<HttpCall, 'method' | 'headers' | 'body'>;

/** Sends one request on a connection of its own, and hands over the answer as it comes. Not packed if it is to be read, not followed, not bounded yet. */
export type PinnedSender = (target: URL, request: SentRequest & Pick<HttpCall, 'maxResponseBytes'>, signal: AbortSignal) => Promise<IncomingMessage>;

/**
 * Calls out with Node's own client, to public addresses only. A name is resolved once, all its addresses are checked, and the
 * connection goes to one of exactly these: a name that means something else a moment later changes nothing.
 *
 * @throws DomainError `tool/egress-refused`, `tool/unreachable`: nothing was sent then; `tool/failed`: it was, and the answer is packed.
 * @see docs/decisions/0064-agents-are-not-trusted.md
 */
export function createPinnedSender({ privateAddresses, resolve = resolveAll }: EgressSettings): PinnedSender {
  const rules = createEgressRules(privateAddresses);

  async function addressesOf(target: URL, signal: AbortSignal): Promise<readonly string[]> {
    const hostname = target.hostname.replace(/^\[|\]$/g, '');
    const addresses = isIP(hostname) === 0 ? await unlessAborted(resolve(hostname), signal).catch(unreached) : [hostname];
    if (addresses.length === 0) throw new Unreached(`${hostname} has no address`);
    if (!addresses.every((address) => rules.allows(address))) throw refused(`${target.origin} is not on the public internet: tools may not call it.`);
    return addresses;
  }

  return async (target, request, signal) => {
    mustBePlain(target);
    try {
      const response = await send(target, await addressesOf(target, signal), request, signal);
      if (request.maxResponseBytes === 0) return response;
      mustNotBePacked(response, target);
      return response;
    } catch (error) {
      if (error instanceof Unreached) throw new DomainError('tool/unreachable', `${target.origin} cannot be reached.`, { cause: error });
      throw error;
    }
  };
}

/** Nothing was sent: there was nobody to send it to. */
class Unreached extends Error {}

const unreached = (cause: unknown): never => {
  throw new Unreached('Nobody was reached', { cause });
};

const refused = (message: string) => new DomainError('tool/egress-refused', message);

const resolveAll = async (hostname: string) => (await lookup(hostname, { all: true })).map(({ address }) => address);

/** What the URL parser has not made plain already, as it does odd forms of IPv4 and names in other scripts. */
function mustBePlain({ protocol, username, password, hostname, origin }: URL): void {
  if (protocol !== 'http:' && protocol !== 'https:') throw refused('Only http and https can be called.');
  if (username !== '' || password !== '') throw refused('An address must not carry a user or a password.');
  if (hostname.endsWith('.')) throw refused(`${origin}: write the name without a dot at its end.`);
}

/** A resolver cannot be stopped, but it need not be waited for. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    promise.then(resolve, reject);
  });
}

function send(target: URL, addresses: readonly string[], { method, headers, body }: SentRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const checked = addresses.map((address) => ({ address, family: isIP(address) }));
  const pinned: LookupFunction = (_hostname, { all }, done) => {
    const [first] = checked;
    if (all === true) done(null, checked);
    else done(null, first?.address ?? '', first?.family);
  };
  const request = target.protocol === 'https:' ? tlsRequest : plainRequest;
  return new Promise((resolve, reject) => {
    // A connection of its own: one from a pool may lead to what the name meant earlier.
    const sent = request(target, { method, headers: { ...headers, 'accept-encoding': 'identity' }, lookup: pinned, agent: false, signal }, resolve);
    // Stays for as long as the response is read: an error nobody hears ends the process.
    let isConnected = false;
    sent.on('socket', (socket) => socket.once(target.protocol === 'https:' ? 'secureConnect' : 'connect', () => (isConnected = true)));
    sent.on('error', (error) => reject(isConnected ? error : new Unreached('Nobody was reached', { cause: error })));
    sent.on('upgrade', (_response, socket) => {
      socket.destroy();
      reject(new Error('The target changed the protocol'));
    });
    sent.end(body);
  });
}

/** A few packed bytes can become gigabytes: nothing is unpacked, and nothing packed was asked for. */
function mustNotBePacked(response: IncomingMessage, { origin }: URL): void {
  const encoding = response.headers['content-encoding'] ?? 'identity';
  if (encoding.trim().toLowerCase() === 'identity') return;
  response.destroy();
  throw new DomainError('tool/failed', `${origin} sent a packed answer, which nobody had asked for.`);
}

async function readUpTo(response: IncomingMessage, maxBytes: number): Promise<Pick<HttpAnswer, 'body' | 'isCut'>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > maxBytes) break;
  }
  if (bytes <= maxBytes && !response.complete) throw new Error('The answer broke off');
  return { body: Buffer.concat(chunks).subarray(0, maxBytes).toString('utf8'), isCut: bytes > maxBytes };
}
