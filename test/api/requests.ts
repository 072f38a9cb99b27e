import { allRoutes, type AppDeps } from '../../src/api/app';
import type { Route } from '../../src/api/route';
import type { ApiRequest } from './running-api';

/** All routes there are, before anything runs: nothing is asked of what they are made of until one is called. */
export const declaredRoutes: readonly Route[] = allRoutes({ dependencies: [], version: '0.0.0' } as unknown as AppDeps);

const missingBackup = 'bak-0123456789';

/** The smallest that has a tool. */
export const toolDocument = { openapi: '3.0.3', info: { title: 'A shop', version: '1' }, servers: [{ url: 'https://shop.example.com' }], paths: { '/orders': { get: { operationId: 'orders', responses: { 200: { description: 'orders' } } } } } };

/** A request each route would take, by its OpenAPI path and method: a new route must be added here to pass. */
const bodies: Readonly<Record<string, object>> = {
  'post /api/v1/tenants': { tenantId: 'never-made', administrator: { email: 'admin@example.com' } },
  'post /api/v1/tenants/{tenantId}/backups': {},
  'post /api/v1/tenants/{tenantId}/backups/{backupId}/verify': {},
  'post /api/v1/tenants/{tenantId}/restore': { backupId: missingBackup },
  'post /api/v1/operations/{operationId}/cancel': {},
  'post /api/v1/operations/{operationId}/retry': {},
  'post /api/v1/maintenance/{name}/run': { reason: 'a test' },
  'post /api/v1/maintenance/{name}/pause': { reason: 'a test', tenantId: 'never-made' },
  'post /api/v1/maintenance/{name}/resume': { reason: 'a test', tenantId: 'never-made' },
  'post /api/v1/tenants/{tenantId}/suspend': {},
  'post /api/v1/tenants/{tenantId}/resume': {},
  'post /api/v1/tenants/{tenantId}/tier': { tier: 'premium' },
  'post /api/v1/tenants/{tenantId}/configuration': { agent: {} },
  'post /api/v1/tenants/{tenantId}/rotate-key': {},
  'post /api/v1/tenants/{tenantId}/rotate-client': {},
  'post /api/v1/tenants/{tenantId}/sessions': {},
  'post /api/v1/tenants/{tenantId}/sessions/{sessionId}/fork': { turnId: 'turn-missing' },
  'post /api/v1/tenants/{tenantId}/sessions/{sessionId}/messages': { text: 'Hello' },
  'post /api/v1/tenants/{tenantId}/sessions/{sessionId}/turns/{turnId}/undo': {},
  'post /api/v1/tenants/{tenantId}/sessions/{sessionId}/cancel': {},
  'post /api/v1/tenants/{tenantId}/sessions/{sessionId}/close': {},
  'post /api/v1/tenants/{tenantId}/sessions/{sessionId}/erase': {},
  'post /api/v1/tenants/{tenantId}/users/{userId}/erase': {},
  'post /api/v1/tenants/{tenantId}/sessions/{sessionId}/approvals/{approvalId}': { decision: 'approve' },
  'post /api/v1/tenants/{tenantId}/sessions/{sessionId}/questions/{questionId}/answer': { text: 'Yes' },
  'post /api/v1/tenant/{tenantId}/agent': { prompt: 'Hello' },
  'post /api/v1/tenants/{tenantId}/agents': { name: 'never-made', settings: {} },
  'post /api/v1/tenants/{tenantId}/agents/{agentName}/versions': { settings: {} },
  'put /api/v1/tenants/{tenantId}/agents/{agentName}/aliases/{alias}': { version: 1 },
  'post /api/v1/tenants/{tenantId}/schedules': { name: 'never-made', prompt: 'Hello', times: { everySeconds: 3_600 } },
  'put /api/v1/tenants/{tenantId}/schedules/{schedule}': { times: { everySeconds: 3_600 } },
  'post /api/v1/tenants/{tenantId}/schedules/{schedule}/pause': { reason: 'a test' },
  'post /api/v1/tenants/{tenantId}/schedules/{schedule}/resume': {},
  'post /api/v1/tenants/{tenantId}/schedules/{schedule}/runs': {},
  'put /api/v1/tenants/{tenantId}/memories/{factId}': { text: 'Likes tea.' },
  'put /api/v1/tenants/{tenantId}/tool-sources/{source}': { settings: { kind: 'openapi' }, document: toolDocument },
  'put /api/v1/tenants/{tenantId}/tool-sources/{source}/secret': { secret: 'never-set' },
  'post /api/v1/tenants/{tenantId}/tool-sources/{source}/refresh': {},
  'post /api/v1/tenants/{tenantId}/tool-sources/{source}/check': {},
  'put /api/v1/tenants/{tenantId}/config': {},
  'put /api/v1/tenants/{tenantId}/users/{userId}/roles': { roles: [] },
  'post /api/v1/tenants/{tenantId}/users/{userId}/disable': {},
  'post /api/v1/tenants/{tenantId}/users/{userId}/enable': {},
  'post /api/v1/tenants/{tenantId}/users/{userId}/sign-out': {},
  'post /api/v1/tenants/{tenantId}/sign-out': {},
  'post /api/v1/tenants/{tenantId}/api-keys': { name: 'a test', permissions: ['read:session'] },
  'post /api/v1/tenants/{tenantId}/machine-clients': { name: 'a test', permissions: ['read:session'] },
  'patch /api/v1/tenants/{tenantId}/machine-clients/{clientId}': { name: 'another' },
  'post /api/v1/tenants/{tenantId}/machine-clients/{clientId}/rotate': {},
  'post /api/v1/operators/{userId}/sign-out': {},
  'post /codec/decode': { payloads: [] },
  'post /codec/encode': { payloads: [] },
  'post /codec/sign-in': { email: 'nobody@example.com', password: 'wrong' },
};

/** Of routes that take a file as it is. */
const file = { query: '?name=note.txt', body: Buffer.from('A note.'), headers: { 'content-type': 'text/plain' } } as const;

export const titleOf = ({ method, path }: Route): string => `${method} ${path}`;

const operationId = (tenantId: string) => `onboarding_${tenantId}_${'0'.repeat(26)}`;
const missingSession = 'ses-missing';
const missing = { userId: '00000000-0000-4000-8000-000000000000', keyId: '0'.repeat(16), clientId: '0'.repeat(16), agentName: 'missing', version: '1', alias: 'canary', attachmentId: `att-${'0'.repeat(26)}`, source: 'missing', schedule: 'missing', factId: `mem-${'0'.repeat(40)}` };

/** The path and request of a route, about a tenant; what else it names does not exist, unless it is given. */
export function requestTo(route: Route, tenantId: string, given: Readonly<Record<string, string>> = {}): { path: string; request: ApiRequest } {
  const values: Record<string, string> = { ...missing, name: 'stale_sessions', tenantId, sessionId: missingSession, approvalId: 'apr-missing', questionId: 'qst-missing', turnId: 'turn-missing', backupId: missingBackup, operationId: operationId(tenantId), ...given };
  const headers: Record<string, string> = {};
  for (const name of Object.keys(route.headers ?? {})) headers[name] = `${tenantId}_${values['sessionId'] ?? ''}`;
  const body = route.path === '/invocations' ? { tenant_id: tenantId, prompt: 'Hello' } : bodies[titleOf(route)];
  const path = route.path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => values[name] ?? '');
  if (route.takesFile) return { path: path + file.query, request: { method: route.method, headers: { ...headers, ...file.headers }, body: file.body } };
  return {
    path,
    request: { method: route.method, headers, ...(route.body && { body }) },
  };
}
