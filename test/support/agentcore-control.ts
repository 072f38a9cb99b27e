import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { AwsModel, type Call } from './aws-model';
import type { Moto } from './moto';

export interface AgentCoreControl {
  readonly url: string;
  /** Names of the operations asked for, in order. */
  readonly calls: readonly string[];
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

type Body = Readonly<Record<string, unknown>>;

/**
 * AgentCore's control plane for tests: refuses what AWS's own model of the API does not allow, answers with moto's server
 * what that has, and keeps by itself what no server has (rate limits, identities). Its own answers are held to the model, too.
 */
export async function startAgentCoreControl({ url, packages }: Moto): Promise<AgentCoreControl> {
  const model = new AwsModel(packages, 'bedrock-agentcore-control', ['GatewayIdentifier']);
  const kept = keeping();
  const calls: string[] = [];

  async function answerTo(request: IncomingMessage): Promise<Answer> {
    const { pathname } = new URL(request.url ?? '', url);
    const text = (await buffer(request)).toString();
    const body = text ? (JSON.parse(text) as Body) : undefined;
    const call = model.callOf(request.method ?? '', pathname, body);
    if (!call) return refusal(404, 'UnknownOperationException', `${request.method ?? ''} ${pathname}`);
    calls.push(call.operation.name);
    if (call.violations.length > 0) return refusal(400, 'ValidationException', call.violations.join('; '));
    if (call.operation.name === 'DeleteGateway' && (await hasTargets(url, request))) return refusal(409, 'ConflictException', 'The gateway has targets');
    const own = kept[call.operation.name];
    if (!own) return forwarded(url, request, call, body);
    const answer = own({ ...call.labels, ...body });
    const violations = answer.status < 300 && answer.body !== undefined ? model.answerViolations(call.operation, answer.body) : [];
    return violations.length > 0 ? refusal(500, 'InternalServerException', violations.join('; ')) : answer;
  }

  const server = createServer((request, response) => {
    answerTo(request).then(
      ({ status, body }) => {
        const type = (body as { __type?: string } | undefined)?.__type;
        response.writeHead(status, { 'content-type': 'application/json', ...(type !== undefined && { 'x-amzn-errortype': type }) });
        response.end(body === undefined ? undefined : JSON.stringify(body));
      },
      (error: unknown) => response.writeHead(500, { 'x-amzn-errortype': 'InternalServerException' }).end(JSON.stringify({ message: String(error) })),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    async close() {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}

const refusal = (status: number, type: string, message: string): Answer => ({ status, body: { __type: type, message } });

/** AWS deletes no gateway that has targets; moto does. */
async function hasTargets(url: string, request: IncomingMessage): Promise<boolean> {
  const response = await fetch(new URL(`${(request.url ?? '').replace(/\/$/, '')}/targets/`, url), { headers: { authorization: request.headers.authorization ?? '' } });
  return ((await response.json()) as { items: unknown[] }).items.length > 0;
}

/** moto wants a gateway's protocol named; at AWS, one without takes targets of any. And what it has updated it never calls ready. */
async function forwarded(url: string, request: IncomingMessage, { operation }: Call, body: Body | undefined): Promise<Answer> {
  const sent = operation.name === 'CreateGateway' ? { protocolType: 'MCP', ...body } : body;
  const response = await fetch(new URL(request.url ?? '', url), {
    method: request.method ?? 'GET',
    headers: { authorization: request.headers.authorization ?? '', host: request.headers.host ?? '', 'content-type': 'application/json' },
    ...(sent !== undefined && { body: JSON.stringify(sent) }),
  });
  const text = await response.text();
  const type = response.headers.get('x-amzn-errortype');
  const answer = text ? (JSON.parse(text) as Body) : undefined;
  if (type !== null) return { status: response.status, body: { __type: type, ...answer } };
  const isUpdated = operation.name.startsWith('Get') && answer?.['status'] === 'UPDATING';
  return { status: response.status, body: isUpdated ? { ...answer, status: 'READY' } : answer };
}

/** What AWS keeps under a key, with AWS's words for what is there already and what is not. */
function keeping(): Readonly<Record<string, (input: Body) => Answer>> {
  const collection = (describe: (input: Body) => Body, keyOf: (input: Body) => string) => {
    const items = new Map<string, Body>();
    const existing = (input: Body, then: (item: Body) => Answer) => {
      const item = items.get(keyOf(input));
      return item ? then(item) : refusal(404, 'ResourceNotFoundException', `There is no ${keyOf(input)}`);
    };
    return {
      items,
      put: (input: Body): Answer => {
        items.set(keyOf(input), describe(input));
        return { status: 200, body: items.get(keyOf(input)) };
      },
      create: (input: Body): Answer => {
        if (items.has(keyOf(input))) return refusal(409, 'ConflictException', `${keyOf(input)} exists`);
        items.set(keyOf(input), describe(input));
        return { status: 201, body: items.get(keyOf(input)) };
      },
      get: (input: Body): Answer => existing(input, (body) => ({ status: 200, body })),
      remove: (input: Body, answer?: (item: Body) => Body): Answer =>
        existing(input, (item) => {
          items.delete(keyOf(input));
          return answer ? { status: 200, body: answer(item) } : { status: 204 };
        }),
    };
  };
  // Gateways tell times as texts, identities as numbers.
  const written = new Date().toISOString();
  const at = Math.floor(Date.now() / 1_000);
  const named = ({ name }: Body) => String(name);
  const arn = (kind: string, name: unknown) => `arn:aws:bedrock-agentcore:us-east-1:123456789012:${kind}/${String(name)}`;
  const limits = collection(
    ({ gatewayIdentifier, rateLimitId, entries }) => ({ gatewayIdentifier, rateLimitId, entries, dimensionKeys: ['targetName'], status: 'ACTIVE', createdAt: written, updatedAt: written }),
    ({ gatewayIdentifier, rateLimitId }) => `${String(gatewayIdentifier)}/${String(rateLimitId)}`,
  );
  const workloads = collection(({ name }) => ({ name, workloadIdentityArn: arn('workload-identity-directory/default/workload-identity', name) }), named);
  const providers = collection(
    ({ name, credentialProviderVendor }) => ({
      name,
      credentialProviderVendor,
      credentialProviderArn: `arn:aws:acps:us-east-1:123456789012:token-vault/default/oauth2credentialprovider/${String(name)}`,
      clientSecretArn: { secretArn: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:agents' },
      createdTime: at,
      lastUpdatedTime: at,
      oauth2ProviderConfigOutput: { customOauth2ProviderConfig: { oauthDiscovery: { discoveryUrl: 'https://idp.example/.well-known/openid-configuration' } } },
    }),
    named,
  );
  const created = ({ status, body }: Answer): Answer => {
    if (status >= 300) return { status, body };
    const { name, credentialProviderArn, clientSecretArn, oauth2ProviderConfigOutput } = body as Body;
    return { status, body: { name, credentialProviderArn, clientSecretArn, oauth2ProviderConfigOutput } };
  };
  return {
    CreateGatewayRateLimit: limits.create,
    GetGatewayRateLimit: limits.get,
    UpdateGatewayRateLimit: limits.put,
    DeleteGatewayRateLimit: (input) => limits.remove(input, ({ gatewayIdentifier, rateLimitId }) => ({ gatewayIdentifier, rateLimitId, status: 'DELETING' })),
    ListGatewayRateLimits: ({ gatewayIdentifier }) => ({ status: 200, body: { rateLimits: [...limits.items.values()].filter((limit) => limit['gatewayIdentifier'] === gatewayIdentifier) } }),
    CreateWorkloadIdentity: workloads.create,
    GetWorkloadIdentity: (input) => {
      const { status, body } = workloads.get(input);
      return { status, body: status === 200 ? { ...(body as Body), createdTime: at, lastUpdatedTime: at } : body };
    },
    DeleteWorkloadIdentity: (input) => workloads.remove(input),
    ListWorkloadIdentities: () => ({ status: 200, body: { workloadIdentities: [...workloads.items.values()] } }),
    CreateOauth2CredentialProvider: (input) => created(providers.create(input)),
    GetOauth2CredentialProvider: providers.get,
    DeleteOauth2CredentialProvider: (input) => providers.remove(input),
    ListOauth2CredentialProviders: () => ({
      status: 200,
      body: {
        credentialProviders: [...providers.items.values()].map(({ name, credentialProviderVendor, credentialProviderArn }) => ({ name, credentialProviderVendor, credentialProviderArn, createdTime: at, lastUpdatedTime: at })),
      },
    }),
  };
}
