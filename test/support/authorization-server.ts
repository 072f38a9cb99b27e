import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';

interface RegisteredClient {
  readonly clientId: string;
  readonly secret: string;
  /** As oidc-provider has it: `scope`, `token_endpoint_auth_method`. */
  readonly [setting: string]: string;
}

/** What becomes of an answer of the token endpoint: it arrives; it never does; the connection breaks in its place. */
type Fate = 'arrives' | 'stays away' | 'is lost';

export interface AuthorizationServer {
  readonly issuer: string;
  /** Requests for tokens that reached it, with what they showed. */
  readonly asked: { readonly authorization: string | undefined; readonly form: URLSearchParams }[];
  /** Tokens that it has issued. */
  readonly issued: string[];
  /** Of the next answers, one each; then they arrive. */
  readonly fates: Fate[];
  /** As it says itself, to a client of its own (RFC 7662). */
  introspect(token: string): Promise<{ active: boolean; scope?: string; aud?: string; exp?: number; client_id?: string }>;
  revoke(token: string): Promise<void>;
  stop(): void;
}

export async function listen(listener: RequestListener): Promise<{ server: Server; origin: string }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

export const stop = (server: Server): void => {
  server.closeAllConnections();
  server.close();
};

const inspector = { clientId: 'inspector', secret: 'of the resource server' };

/** A real authorization server (oidc-provider) behind a line that can be cut. */
export async function startAuthorizationServer({ clients, tokenSeconds = 600 }: { clients: readonly RegisteredClient[]; tokenSeconds?: number }): Promise<AuthorizationServer> {
  const [asked, issued, fates]: [AuthorizationServer['asked'], string[], Fate[]] = [[], [], []];
  let port = 0;
  const forward = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await incoming.toArray());
    const isToken = incoming.url === '/token';
    if (isToken) asked.push({ authorization: incoming.headers.authorization, form: new URLSearchParams(body.toString()) });
    const answer = await new Promise<IncomingMessage>((resolve, reject) =>
      // A connection each: one that is kept may be closed by the other side while a request is on its way.
      request({ port, host: '127.0.0.1', path: incoming.url, method: incoming.method, headers: incoming.headers, agent: false }, resolve).on('error', reject).end(body),
    );
    const text = Buffer.concat(await answer.toArray());
    const token = isToken && answer.statusCode === 200 ? (JSON.parse(text.toString()) as { access_token: string }).access_token : undefined;
    if (token !== undefined) issued.push(token);
    const fate = isToken ? (fates.shift() ?? 'arrives') : 'arrives';
    if (fate === 'is lost') response.destroy();
    if (fate === 'arrives') response.writeHead(answer.statusCode ?? 500, answer.headers).end(text);
  };
  const { server, origin: issuer } = await listen((incoming, response) => void forward(incoming, response).catch(() => response.destroy()));
  const settings = { issuer, clients: [...clients, inspector], tokenSeconds };
  const provider = spawn(process.execPath, [path.resolve('test/support/oidc-provider'), JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const line of createInterface({ input: provider.stdout })) {
    port = Number(line);
    break;
  }
  provider.stdout.resume();

  const asInspector = async (action: string, token: string): Promise<Response> =>
    fetch(`${issuer}/token/${action}`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${inspector.clientId}:${encodeURIComponent(inspector.secret)}`).toString('base64')}` },
      body: new URLSearchParams({ token }),
    });
  return {
    issuer,
    asked,
    issued,
    fates,
    introspect: async (token) => (await (await asInspector('introspection', token)).json()) as { active: boolean },
    async revoke(token) {
      await asInspector('revocation', token);
    },
    stop() {
      stop(server);
      provider.kill('SIGKILL');
    },
  };
}
