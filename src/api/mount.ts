import { createHash } from 'node:crypto';
import type { Express, Request, Response } from 'express';
import { DomainError } from '../contracts/errors';
import type { ServedTenant } from '../contracts/tenant';
import type { Tiers } from '../contracts/tiers';
import type { RequestLimiter } from '../ports/request-limiter';
import { authenticateEither, authenticateOperator, authenticateTenantUser, type AuthenticationDeps } from './authenticate';
import { allowTemporalUi, type CrossOriginDeps } from './cross-origin';
import type { WebPage } from './pages/html';
import { limitRate, tenantLimit } from './rate-limit';
import { contextOf, type RequestContext } from './request-context';
import { createRequestParser } from './request-parser';
import type { Caller, Reply, Route } from './route';
import { sendEvents } from './server-sent-events';

export interface MountDeps extends AuthenticationDeps, CrossOriginDeps {
  readonly limiter: RequestLimiter;
  readonly tiers: Tiers;
  readonly maxBodyBytes: number;
}

/** The one way in, for every route: tell browsers who may call → authenticate → limit → authorize → parse → handle → check the reply. */
export function mount(app: Express, routes: readonly Route[], deps: MountDeps): void {
  const parse = createRequestParser(deps);
  allowTemporalUi(app, routes.filter(({ access }) => access !== 'public' && access.fromTemporalUi === true).map(expressPath), deps);
  for (const route of routes)
    app[route.method](expressPath(route), async (request, response) => {
      const context = contextOf(response);
      const admitted = await admit(route, request, response, deps);
      const parsed = await parse(route, request, response);
      const reply = await route.handle({
        ...admitted,
        ...parsed,
        header: (name) => request.get(name),
        wantsEvents: route.streams === true && request.accepts(['application/json', 'text/event-stream']) === 'text/event-stream',
        wantsPage: route.hasPage === true && request.accepts(['application/json', 'text/html']) === 'text/html',
        signal: context.signal,
        logger: context.logger,
      });
      await answer(route, reply, response, context);
    });
  refuseOtherMethods(app, routes);
}

const expressPath = ({ path }: Route): string => path.replaceAll(/\{(\w+)\}/g, ':$1');

const tenantInPath = ({ params }: Request): unknown => params['tenantId'];

const nobody: Caller = { userId: '', permissions: new Set() };

async function admit(route: Route, request: Request, response: Response, deps: MountDeps): Promise<{ caller: Caller; tenant?: ServedTenant }> {
  if (route.access === 'public') return { caller: nobody };
  const { realm, permission, tenantOf = tenantInPath, fromTemporalUi = false, limit } = route.access;
  if (realm === 'operator') {
    const caller = await authenticateOperator(deps, request, fromTemporalUi ? deps.temporalUiUrl : undefined);
    if (limit) await limitRate(deps.limiter, limit(caller), response);
    authorize(caller, permission);
    return { caller };
  }
  const { caller, tenant, isUser } = await authenticateFor(realm, request, tenantOf(request), deps);
  note(contextOf(response), { tenantId: tenant.tenantId, sessionId: request.params['sessionId'] });
  // Behind the token: whoever has none must neither empty the tenant's bucket, nor be counted as its traffic.
  if (isUser) {
    contextOf(response).tenantId = tenant.tenantId;
    await limitRate(deps.limiter, tenantLimit(deps.tiers, tenant), response);
  }
  authorize(caller, permission);
  return { caller, tenant };
}

async function authenticateFor(realm: 'tenant' | 'either', request: Request, named: unknown, deps: MountDeps) {
  if (realm === 'tenant') return { ...(await authenticateTenantUser(deps, request, named)), isUser: true };
  const { realm: of, ...admitted } = await authenticateEither(deps, request, named);
  return { ...admitted, isUser: of === 'tenant' };
}

function note(context: RequestContext, subject: { tenantId: string; sessionId: unknown }): void {
  context.logger = context.logger.child(subject);
}

function authorize({ permissions }: Caller, permission: Exclude<Route['access'], 'public'>['permission']): void {
  if (!permissions.has(permission)) throw new DomainError('auth/forbidden', `This needs the permission ${permission}.`);
}

async function answer(route: Route, reply: Reply<unknown>, response: Response, context: RequestContext): Promise<void> {
  if ('headers' in reply) response.set(reply.headers);
  if (route.hasPage) response.vary('Accept');
  if ('events' in reply) await sendEvents(response, reply.events, context);
  else if ('page' in reply) sendPage(response.status(reply.status ?? route.status), reply.page);
  else if ('body' in reply) response.status(reply.status ?? route.status).json(route.response.parse(reply.body));
  else response.status(reply.status).end();
}

/** A page may hold what others wrote: it loads nothing, runs nothing, and is kept by no cache. */
function sendPage(response: Response, { html, style, hasForm = false }: WebPage): void {
  const styleHash = createHash('sha256').update(style).digest('base64');
  response.set('Content-Security-Policy', `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action ${hasForm ? "'self'" : "'none'"}; frame-ancestors 'none'`);
  response.set('Cache-Control', 'no-store');
  // Without it the form's request would not say where it comes from.
  if (hasForm) response.set('Referrer-Policy', 'same-origin');
  response.type('html').send(html);
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
