import type { Request } from 'express';
import type { Logger } from 'pino';
import type { z } from 'zod';
import type { ServedTenant } from '../contracts/tenant';
import type { Permission } from '../domain/permissions';
import type { WebPage } from './pages/html';
import type { RateLimit } from './rate-limit';
import type { StreamEntry } from './server-sent-events';
import type { Upload } from './uploads';

/** Who calls: as the token says, and what was decided since. */
export interface Caller {
  /** Cognito `sub`; of an API key or a machine client, a name of its own. */
  readonly userId: string;
  readonly permissions: ReadonlySet<Permission>;
}

export interface RouteInput<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  /** Where the request comes from, as it is counted. */
  readonly address: string;
  readonly idempotencyKey: string | undefined;
  /** Of key and body, where there is a key: what was made under the key is held against it. */
  readonly requestDigest: string | undefined;
  readonly header: (name: string) => string | undefined;
  /** Whether the caller would rather have server-sent events. */
  readonly wantsEvents: boolean;
  /** Whether the caller would rather have a page that a person can read. */
  readonly wantsPage: boolean;
  /** The body, of a route that takes a file. */
  readonly upload: Upload;
  /** Aborted when the caller has gone away, or the process is about to stop. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

export type Reply<Body> =
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly body: Body }
  /** Server-sent events; `idle` when there was nothing to tell for about a second. */
  | { readonly events: AsyncIterable<StreamEntry | 'idle'>; readonly headers?: Readonly<Record<string, string>> }
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly page: WebPage }
  /** Bytes as they were uploaded: to be saved, never to be shown as a page. */
  | { readonly file: { readonly content: Uint8Array; readonly mediaType: string; readonly name: string } }
  /** Lines of JSON, each an object. */
  | { readonly lines: AsyncIterable<object>; readonly headers?: Readonly<Record<string, string>> }
  | { readonly status: 204 };

interface RouteDefinition<Params extends z.ZodType, Query extends z.ZodType, Body extends z.ZodType, Response extends z.ZodType> {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** Parameters in braces, as in OpenAPI: `/api/v1/tenants/{tenantId}`. */
  readonly path: string;
  readonly summary: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  readonly response: Response;
  /** Of an ordinary answer. */
  readonly status: number;
  /** Other statuses it may answer with, and when. Those with a body have the same schema. */
  readonly otherStatuses?: Readonly<Record<number, string>>;
  /** Whether it answers with a page. */
  readonly isPage?: boolean;
  /** Whether its body may come from an HTML form, too. */
  readonly takesForm?: boolean;
  /** Whether its body may be as large as Temporal's payloads. */
  readonly takesPayloads?: boolean;
  /** Media types of a file that is its body as it is: the handler reads it. */
  readonly takesFile?: readonly string[];
  /** Media types of a file that is its answer as it is. */
  readonly givesFile?: readonly string[];
  /** Whether it can answer with server-sent events. */
  readonly streams?: boolean;
  /** Whether it can answer with a page for people. */
  readonly hasPage?: boolean;
  /** Whether it is asked again and again by those who watch over this process: no limit holds for it. */
  readonly isProbe?: boolean;
  /** Whether its answer has the ETag of what it shows. */
  readonly tellsRevision?: boolean;
  /** Whether it changes only what is at the revision that `If-Match` names. */
  readonly heedsRevision?: boolean;
  /** Whether an Idempotency-Key makes a repetition find what the first request made. */
  readonly idempotent?: boolean;
  /**
   * How the audit log tells of it. `change`: before it is carried out, and how it ended. `counted`: afterwards, with what is like it. Default: what may
   * change something is a change, but `counted` when anybody may call it; what only reads is not told of, unless it is denied.
   */
  readonly audit?: 'change' | 'counted';
  /** Whether it answers with lines of JSON. */
  readonly isLines?: boolean;
  /** Whether it can answer with lines of JSON. */
  readonly hasLines?: boolean;
  /** Headers it needs, by name, and what they hold. */
  readonly headers?: Readonly<Record<string, { readonly description: string; readonly pattern: RegExp }>>;
}

/** Whether it is answered when something was made or begun: all such answers, and no others, have the `Location` of it, or of where it is told of. */
export const hasLocation = (status: number): boolean => status === 201 || status === 202;

interface Access {
  /** The token's pool: the tenant's that the request names, the operators', or whichever of them. */
  readonly realm: 'tenant' | 'operator' | 'either';
  readonly permission: Permission;
  /** Where the request names its tenant. Default: the path's `tenantId`. */
  readonly tenantOf?: (request: Request) => unknown;
  /** Whether pages of the Temporal UI may call it, with the sign-in's cookie in place of the header. */
  readonly fromTemporalUi?: boolean;
  /** Of an operator: what one may ask in a minute. */
  readonly limit?: (caller: Caller) => RateLimit;
}

type Handler<Realm, Params, Query, Body, Response> = (
  input: RouteInput<Params, Query, Body> & (Realm extends 'tenant' ? { readonly tenant: ServedTenant } : unknown),
) => Promise<Reply<Response>>;

/** A route with its types erased, as mount() carries it out and OpenAPI describes it. */
export interface Route extends RouteDefinition<z.ZodType, z.ZodType, z.ZodType, z.ZodType> {
  readonly access: Access | 'public';
  readonly handle: (input: RouteInput<unknown, unknown, unknown> & { readonly tenant?: ServedTenant }) => Promise<Reply<unknown>>;
}

/** A route of a tenant's users. */
export function tenantRoute<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
  definition: RouteDefinition<P, Q, B, R> &
    Omit<Access, 'realm'> & { handle: Handler<'tenant', z.output<P>, z.output<Q>, z.output<B>, z.input<R>> },
): Route {
  const { permission, tenantOf, handle, ...rest } = definition;
  // mount() calls it only with what these very schemas made of the request.
  return { ...rest, access: { realm: 'tenant', permission, ...(tenantOf && { tenantOf }) }, handle: handle as unknown as Route['handle'] };
}

/** A route of a tenant's users and of the operators. */
export function sharedRoute<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
  definition: RouteDefinition<P, Q, B, R> & { permission: Permission; handle: Handler<'tenant', z.output<P>, z.output<Q>, z.output<B>, z.input<R>> },
): Route {
  const { permission, handle, ...rest } = definition;
  return { ...rest, access: { realm: 'either', permission }, handle: handle as unknown as Route['handle'] };
}

/** A route of the platform's operators. */
export function operatorRoute<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
  definition: RouteDefinition<P, Q, B, R> &
    Pick<Access, 'permission' | 'fromTemporalUi' | 'limit'> & { handle: Handler<'operator', z.output<P>, z.output<Q>, z.output<B>, z.input<R>> },
): Route {
  const { permission, fromTemporalUi = false, limit, handle, ...rest } = definition;
  return { ...rest, access: { realm: 'operator', permission, fromTemporalUi, ...(limit && { limit }) }, handle: handle as unknown as Route['handle'] };
}

/** A route anybody may call. */
export function publicRoute<P extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
  definition: RouteDefinition<P, z.ZodType, B, R> & { handle: Handler<'public', z.output<P>, unknown, z.output<B>, z.input<R>> },
): Route {
  return { ...definition, access: 'public', handle: definition.handle as unknown as Route['handle'] };
}
