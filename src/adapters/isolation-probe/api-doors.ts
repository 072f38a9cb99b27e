import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { ProbedKind } from '../../contracts/names';
import type { ServedTenant } from '../../contracts/tenant';
import type { Door, Intruder } from '../../ports/isolation-probe';

const answerWithinMs = 5_000;
const maxAttempts = 5;
const maxWaitMs = 20_000;

/** What of the API's own description tells how to knock. */
const Description = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        security: z.array(z.record(z.string(), z.unknown())),
        parameters: z.array(z.object({ name: z.string(), in: z.string(), required: z.boolean() })),
        requestBody: z.object({}).optional(),
      }),
    ),
  ),
});
type Operation = z.infer<typeof Description>['paths'][string][string];

interface Request {
  readonly method: string;
  readonly path: string;
  readonly token: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** No schema takes it: where it is complained about, the caller was let in, and nothing was done. */
  readonly hasBadBody?: boolean;
}

export interface ApiDoorSettings {
  /** Undefined when it is not known here. */
  readonly apiUrl: string | undefined;
  /** A session of the tenant that is tried, if it has any. */
  readonly sessionId: string | undefined;
}

/**
 * Every route that names a tenant, as the API's description has them: one that joins is tried the next night. What would change
 * something if it got through is asked for with a body that nothing takes, or not at all.
 */
export async function apiDoors({ tenant, token }: Intruder, other: ServedTenant, { apiUrl, sessionId }: ApiDoorSettings): Promise<Door[]> {
  if ('absent' in token) return [notTried(token.absent)];
  if (apiUrl === undefined) return [notTried('It is not known where the API is: set ISOLATION_PROBE_API_URL.')];
  const { paths } = Description.parse(await (await fetch(new URL('/openapi.json', apiUrl), { signal: AbortSignal.timeout(answerWithinMs) })).json());
  const routes = Object.entries(paths).flatMap(([path, operations]) => Object.entries(operations).map(([method, operation]) => ({ path, method, operation })));
  const sent = (request: Omit<Request, 'token'>) => send(apiUrl, { ...request, token: token.access });
  return [
    ...routes.filter(isOfTenants).map(({ path, method, operation }) => routeDoor({ path, method, operation, sent, sessionId, otherTenantId: other.tenantId })),
    foreignSession(tenant, sessionId, other, sent),
  ];
}

type Sent = (request: Omit<Request, 'token'>) => Promise<Response>;

const notTried = (untriable: string): Door => ({ kind: 'api', what: 'token: every route', opensAtHome: false, untriable, enter: () => Promise.reject(new Error(untriable)) });

const needsHeader = ({ parameters }: Operation) => parameters.find((parameter) => parameter.in === 'header' && parameter.required);

/** Named in the path, or in a header. */
const isOfTenants = ({ path, operation }: { path: string; operation: Operation }): boolean => operation.security.length > 0 && (path.includes('{tenantId}') || needsHeader(operation) !== undefined);

const kindOf = (method: string, path: string): ProbedKind => (path.endsWith('/events') ? 'liveStream' : method === 'post' && /\/(agent|messages|invocations)$/.test(path) ? 'taskQueue' : 'api');

interface RouteDoor {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
  readonly sent: Sent;
  readonly sessionId: string | undefined;
  readonly otherTenantId: string;
}

function routeDoor({ path, method, operation, sent, sessionId, otherTenantId }: RouteDoor): Door {
  const header = needsHeader(operation);
  const isReading = method === 'get';
  return {
    kind: kindOf(method, path),
    what: `token: ${method.toUpperCase()} ${path}`,
    // What only operators may is closed to a tenant's token everywhere.
    opensAtHome: operation.security.some((realm) => 'tenant' in realm),
    ...(!isReading && !operation.requestBody && { untriable: 'It takes no body that could be wrong: if it got through, it would change something.' }),
    async enter({ tenantId }) {
      const ids = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => (name === 'tenantId' ? tenantId : name === 'sessionId' && tenantId === otherTenantId ? (sessionId ?? 'isolation-probe') : 'isolation-probe'));
      const headers = header && { [header.name]: `${tenantId}_isolation-probe-isolation-probe-isolation` };
      return answerOf(await sent({ method, path: ids, hasBadBody: !isReading, ...(headers && { headers }) }));
    },
  };
}

/** A session of another by its id, as though it were one's own tenant's. */
function foreignSession({ tenantId }: ServedTenant, sessionId: string | undefined, other: ServedTenant, sent: Sent): Door {
  return {
    kind: 'api',
    what: "token: GET a session of another by its own tenant's path",
    opensAtHome: false,
    ...(sessionId === undefined && { untriable: `${other.tenantId} has no session.` }),
    async enter() {
      const response = await sent({ method: 'get', path: `/api/v1/tenants/${tenantId}/sessions/${sessionId ?? ''}` });
      await response.body?.cancel();
      return response.status === 404 ? 'refused' : answerOf(response);
    },
  };
}

/** Waits where the API says that it was asked too often: one probe knocks more than a user may in a moment. */
async function send(apiUrl: string, request: Request): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    const response = await sendOnce(apiUrl, request);
    if (response.status !== 429 || attempt === maxAttempts) return response;
    await response.body?.cancel();
    await delay(Math.min(Number(response.headers.get('retry-after') ?? 1) * 1_000, maxWaitMs));
  }
}

const sendOnce = (apiUrl: string, { method, path, token, headers, hasBadBody = false }: Request): Promise<Response> =>
  fetch(new URL(path, apiUrl), {
    method: method.toUpperCase(),
    headers: { authorization: `Bearer ${token}`, ...(hasBadBody && { 'content-type': 'application/json' }), ...headers },
    ...(hasBadBody && { body: '"isolation-probe"' }),
    redirect: 'manual',
    signal: AbortSignal.timeout(answerWithinMs),
  });

const Problem = z.object({ code: z.string() });

/** Only who was let in hears that something is not there, or that the body is wrong. @throws Error when the API could not answer. */
async function answerOf(response: Response): Promise<'entered' | 'refused'> {
  const { status } = response;
  if (status === 401 || status === 403) {
    await response.body?.cancel();
    return 'refused';
  }
  if (status === 404) return /^(tenant|request)\//.test(Problem.parse(await response.json()).code) ? 'refused' : 'entered';
  await response.body?.cancel();
  if (status === 429 || status >= 500) throw new Error(`The API answered ${status}.`);
  return 'entered';
}
