import type { Express, Request, Response } from 'express';
import { DomainError } from '../contracts/errors';
import { rateBuckets } from '../contracts/names';
import type { RequestRate } from '../contracts/tenant';
import type { Tiers } from '../contracts/tiers';
import type { RequestLimiter } from '../ports/request-limiter';
import { addressOf } from './address';
import type { AuditTrail } from './audit-trail';
import { AuditedAct } from './audited-act';
import { type Admission, type Admitted, authenticateEither, authenticateOperator, authenticateTenantUser, type AuthenticationDeps, type Identified, showsToken } from './authenticate';
import { allowTemporalUi, type CrossOriginDeps } from './cross-origin';
import { mustTellNothing, nextBeat } from './even-answers';
import { type FailureDeps, refusalAfter } from './failed-authentications';
import { holdPlace, type PlaceDeps } from './place-limits';
import { limitRate, tenantLimit } from './rate-limit';
import { contextOf, type RequestContext } from './request-context';
import { createRequestParser } from './request-parser';
import type { Caller, Reply, Route } from './route';
import { sendReply } from './send-reply';
import { createUploads, type Upload } from './uploads';

export interface MountDeps extends AuthenticationDeps, FailureDeps, PlaceDeps, CrossOriginDeps {
  readonly trail: AuditTrail;
  readonly limiter: RequestLimiter;
  readonly tiers: Tiers;
  readonly maxBodyBytes: number;
  /** What strangers may ask in a minute, from one address. */
  readonly publicRate: RequestRate;
  /** How often it is asked whether who reads a stream may still read it. */
  readonly streamCheckMs: number;
}

/** The one way in, for every route: tell browsers who may call → authenticate → limit → authorize → parse → record → handle → check the reply; refusals that must tell nothing → wait for their beat. */
export function mount(app: Express, routes: readonly Route[], deps: MountDeps): void {
  const parse = createRequestParser(deps);
  const uploadOf = createUploads();
  allowTemporalUi(app, routes.filter(({ access }) => access !== 'public' && access.fromTemporalUi === true).map(expressPath), deps);
  for (const route of routes)
    app[route.method](expressPath(route), async (request, response) => {
      const context = contextOf(response);
      const act = new AuditedAct(route, request, context, deps.trail);
      const held: { place?: { leave(): Promise<void> } | undefined; upload?: Upload & { done(): void } } = {};
      try {
        const { reply, again } = await act.recorded(async () => {
          const { again, ...admitted } = await admit(route, request, response, deps);
          const parsed = await parse(route, request, response, admitted.tenant);
          // HEAD is answered by the route of GET, and nothing would be sent that could end it.
          const wantsEvents = route.streams === true && request.method !== 'HEAD' && request.accepts(['application/json', 'text/event-stream']) === 'text/event-stream';
          held.place = wantsEvents ? await streamPlace(deps, admitted, context) : undefined;
          await act.begin(parsed);
          const upload = (held.upload = uploadOf(request, admitted.tenant?.tenantId ?? ''));
          const reply = await route.handle({
            ...admitted,
            ...parsed,
            address: addressOf(request),
            header: (name) => request.get(name),
            upload,
            wantsEvents,
            wantsPage: route.hasPage === true && request.accepts(['application/json', 'text/html']) === 'text/html',
            signal: context.signal,
            logger: context.logger,
          });
          return { reply, again };
        });
        await sendReply(route, heldTo(reply, (entries) => whileAdmitted(entries, again, deps.streamCheckMs)), response, context);
      } catch (error) {
        if (mustTellNothing(error)) await nextBeat(context.receivedAtMs);
        throw error;
      } finally {
        held.upload?.done();
        await held.place?.leave();
      }
    });
  refuseOtherMethods(app, routes);
}

const expressPath = ({ path }: Route): string => path.replaceAll(/\{(\w+)\}/g, ':$1');

const tenantInPath = ({ params }: Request): unknown => params['tenantId'];

const nobody: Caller = { userId: '', permissions: new Set() };

/** @returns who calls, and `again`: asks whether that one may still. */
async function admit(route: Route, request: Request, response: Response, deps: MountDeps): Promise<Admitted & { readonly again: () => Promise<void> }> {
  if (route.access === 'public') {
    if (route.isProbe !== true) await limitRate(deps.limiter, { bucket: rateBuckets.address(addressOf(request)), who: 'Whoever asks from this address', rate: deps.publicRate }, response);
    return { caller: nobody, again: () => Promise.resolve() };
  }
  const { permission } = route.access;
  const named = route.access.realm === 'operator' ? undefined : namedTenant(route.access, request);
  const { who, again } = await identify(route.access, request, named, deps).catch(async (error: unknown) => {
    throw await refusalAfter(error, deps, request, named);
  });
  contextOf(response).actor = { kind: who.realm === 'tenant' ? 'user' : 'operator', id: who.caller.userId };
  await limitCaller(route.access, who, response, deps);
  authorize(who.caller, permission);
  return { caller: who.caller, ...(who.tenant && { tenant: who.tenant }), again: async () => authorize((await again()).caller, permission) };
}

type Guarded = Exclude<Route['access'], 'public'>;

/** Whoever shows no token is asked for one first, whatever else is wrong. */
function namedTenant({ tenantOf = tenantInPath }: Guarded, request: Request): unknown {
  try {
    return tenantOf(request);
  } catch (error) {
    if (showsToken(request)) throw error;
    return undefined;
  }
}

function identify({ realm, fromTemporalUi = false }: Guarded, request: Request, named: unknown, deps: MountDeps): Promise<Admission> {
  if (realm === 'operator') return authenticateOperator(deps, request, fromTemporalUi ? deps.temporalUiUrl : undefined);
  return realm === 'tenant' ? authenticateTenantUser(deps, request, named) : authenticateEither(deps, request, named);
}

/** Behind the token: whoever has none must neither empty the tenant's bucket, nor be counted as its traffic. */
async function limitCaller({ limit }: Guarded, { realm, caller, tenant }: Identified, response: Response, deps: MountDeps): Promise<void> {
  const context = contextOf(response);
  if (limit) await limitRate(deps.limiter, limit(caller), response);
  if (!tenant) return;
  context.logger = context.logger.child({ tenantId: tenant.tenantId, sessionId: response.req.params['sessionId'] });
  if (realm !== 'tenant') return;
  context.tenantId = tenant.tenantId;
  await limitRate(deps.limiter, tenantLimit(deps.tiers, tenant, caller.userId), response);
}

function authorize({ permissions }: Caller, permission: Guarded['permission']): void {
  if (!permissions.has(permission)) throw new DomainError('auth/forbidden', `This needs the permission ${permission}.`);
}

/** Before anything is done: who may read no further stream must not have sent a message by asking. Operators are not counted. */
async function streamPlace(deps: MountDeps, { caller, tenant }: Admitted, { requestId }: RequestContext): Promise<{ leave(): Promise<void> } | undefined> {
  return tenant && holdPlace(deps, 'streams', { tenant, userId: caller.userId, id: requestId });
}

/** What is sent piece by piece. */
function heldTo(reply: Reply<unknown>, hold: <Piece>(pieces: AsyncIterable<Piece>) => AsyncIterable<Piece>): Reply<unknown> {
  if ('events' in reply) return { ...reply, events: hold(reply.events) };
  return 'lines' in reply ? { ...reply, lines: hold(reply.lines) } : reply;
}

/** What is sent outlives what was true when it began: it ends as the next request would. */
async function* whileAdmitted<T>(entries: AsyncIterable<T>, again: () => Promise<void>, everyMs: number): AsyncGenerator<T> {
  let askedAtMs = performance.now();
  for await (const entry of entries) {
    if (performance.now() - askedAtMs >= everyMs) {
      await again();
      askedAtMs = performance.now();
    }
    yield entry;
  }
}

function refuseOtherMethods(app: Express, routes: readonly Route[]): void {
  for (const path of new Set(routes.map(expressPath))) {
    const methods = routes
      .filter((route) => expressPath(route) === path)
      .map(({ method }) => method.toUpperCase())
      .join(', ');
    app.all(path, (_request, response) => {
      response.setHeader('Allow', methods);
      throw new DomainError('request/method-not-allowed', `This address answers ${methods}.`);
    });
  }
}
