import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { getOAuthProtectedResourceMetadataUrl, mcpAuthMetadataRouter } from '@modelcontextprotocol/sdk/server/auth/router.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';
import { type AuthorizationServer, listen, stop } from './authorization-server';

interface Ways {
  /** What it says that it is. Default: itself. */
  readonly resource?: (url: string) => string;
  /** What tokens must be for. Default: itself. */
  readonly audience?: (url: string) => string;
  readonly requiredScope?: string;
  /** Who it says issues tokens for it. Default: who does. */
  readonly issuer?: string;
}

export interface ProtectedServer {
  readonly url: string;
  /** Calls of its tool, with the tokens that they showed. */
  readonly calls: string[];
  stop(): void;
}

/** A server of the SDK's that takes an authorization server's tokens alone, with the SDK's own guard. Its tool tells what it was shown. */
export async function startProtectedServer(authorizationServer: AuthorizationServer, ways: Ways = {}): Promise<ProtectedServer> {
  const calls: string[] = [];
  const app = express();
  const { server, origin } = await listen((request, response) => void app(request, response));
  const url = `${origin}/mcp`;
  const described = new URL(ways.resource?.(url) ?? url);
  const issuer = ways.issuer ?? authorizationServer.issuer;
  app.use(mcpAuthMetadataRouter({ resourceServerUrl: new URL(url), oauthMetadata: { issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token`, response_types_supported: ['code'] } }));
  app.get('/described', (_request, response) => void response.json({ resource: described.href, authorization_servers: [issuer] }));
  app.all('/mcp', (request, response, next) => void guard(request, response, next), async (request, response) => {
    const mcp = new McpServer({ name: 'protected', version: '1' });
    mcp.registerTool('look', { description: 'Looks' }, ({ authInfo }) => {
      calls.push(authInfo?.token ?? '');
      return { content: [{ type: 'text', text: `seen with ${authInfo?.token ?? ''}` }] };
    });
    mcp.registerTool('stumble', { description: 'Fails' }, ({ authInfo }) => {
      throw new Error(`stumbled over ${authInfo?.token ?? ''}`);
    });
    const transport = new StreamableHTTPServerTransport({});
    await mcp.connect(transport);
    await transport.handleRequest(request, response);
  });
  const guard = requireBearerAuth({
    verifier: {
      async verifyAccessToken(token) {
        const { active, scope = '', aud, exp = 0, client_id: clientId = '' } = await authorizationServer.introspect(token);
        if (!active) throw new InvalidTokenError('Token is not active');
        return { token, clientId, scopes: scope.split(' '), expiresAt: exp, ...(aud !== undefined && { resource: new URL(aud) }) };
      },
    },
    requiredScopes: [ways.requiredScope ?? 'docs.read'],
    resourceMetadataUrl: ways.resource ? `${origin}/described` : getOAuthProtectedResourceMetadataUrl(new URL(url)),
    expectedResource: new URL(ways.audience?.(url) ?? url),
  });
  return { url, calls, stop: () => stop(server) };
}
