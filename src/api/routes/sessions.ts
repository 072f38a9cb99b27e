import { z } from 'zod';
import { AgentReference } from '../../contracts/agent-reference';
import { AttachmentId, maxAttachments } from '../../contracts/attachment';
import { budgetLevels, budgetUnits } from '../../contracts/budget';
import { DomainError } from '../../contracts/errors';
import { idFor } from '../../contracts/ids';
import { OnBusy, SessionId, SessionRecord, type SessionRef } from '../../contracts/session';
import { writtenText } from '../../contracts/written-text';
import type { SessionDirectory, SessionLog } from '../../ports/session-store';
import type { Sessions } from '../../ports/sessions';
import type { Conversations } from '../conversations';
import { tenantRoute, type Route } from '../route';
import { forkPoint } from '../fork-point';
import { pageOf, pageOfList } from './paging';
import { SessionPath, TenantPath, urlOfEvents, urlOfSession } from './paths';

/** What was uploaded to the session before. */
export const AttachmentIds = z.array(AttachmentId).max(maxAttachments).optional();

/** How long it may be is the tier's to say. */
const Message = z.strictObject({ text: writtenText({}), attachments: AttachmentIds, onBusy: OnBusy.default('enqueue') });

const SessionWithStatus = SessionRecord.extend({
  status: z.object({
    state: z.enum(['idle', 'running', 'waiting', 'out_of_budget', 'paused', 'closing', 'closed']),
    head: z.number().int(),
    turnCount: z.number().int(),
    queuedTurns: z.number().int(),
    waitingApprovals: z.number().int().optional(),
    waitingQuestions: z.number().int().optional(),
    exhausted: z.object({ level: z.enum(budgetLevels), unit: z.enum(budgetUnits), renewsAt: z.iso.datetime().optional() }).optional(),
  }),
});

const Accepted = z.object({ turnId: z.string(), after: z.number().int(), eventsUrl: z.string() });
const Nothing = z.object({});

export interface SessionRoutesDeps {
  readonly conversations: Conversations;
  readonly sessions: SessionDirectory;
  readonly sessionWorkflows: Sessions;
  readonly log: SessionLog;
}

export const sessionRoutes = (deps: SessionRoutesDeps): Route[] => [...directoryRoutes(deps), forkRoute(deps), undoRoute(deps), ...conversationRoutes(deps)];

const directoryRoutes = ({ conversations, sessions, sessionWorkflows }: SessionRoutesDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/sessions',
    idempotent: true,
    summary: 'Open a session: with an agent of its own, or with that of the tenant',
    permission: 'write:session',
    params: TenantPath,
    body: z.strictObject({ agent: AgentReference.optional() }),
    response: SessionRecord,
    status: 201,
    async handle({ params: { tenantId }, body: { agent }, caller, idempotencyKey, requestDigest }) {
      const sessionId = idFor('session', idempotencyKey, tenantId, caller.userId);
      const record = await conversations.open({ tenantId, sessionId }, caller, { agent, requestDigest });
      return { headers: { location: urlOfSession({ tenantId, sessionId }) }, body: record };
    },
  }),
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/sessions',
    summary: 'List your sessions, newest first; an administrator sees those of all users',
    permission: 'read:session',
    params: TenantPath,
    query: pageOfList('byTime').extend({ children: z.enum(['true', 'false']).default('false').describe('whether those that an agent works in for another are listed, too; without them a page can be short') }),
    response: pageOf(SessionRecord),
    status: 200,
    async handle({ params: { tenantId }, query: { children, ...asked }, caller }) {
      const ownOnly = !caller.permissions.has('read:any-session');
      const page = { ...asked, ...(ownOnly && { userId: caller.userId }), ...(children === 'false' && { spokenIn: true as const }) };
      const { sessions: data, ...rest } = await sessions.list(tenantId, page);
      return { body: { data, ...rest } };
    },
  }),
  tenantRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}',
    summary: 'Show a session and what it does now',
    permission: 'read:session',
    params: SessionPath,
    response: SessionWithStatus,
    status: 200,
    async handle({ params, caller }) {
      await conversations.mustRead(params, caller);
      const [record, status] = await Promise.all([conversations.record(params), sessionWorkflows.status(params)]);
      return { body: { ...record, status: record.closedAt === undefined ? status : { ...status, state: 'closed' as const } } };
    },
  }),
];

/** The events tell what comes of what was begun. */
function toBeFollowed<Begun extends { readonly after: number }>(session: SessionRef, begun: Begun) {
  const eventsUrl = urlOfEvents(session, begun.after);
  return { headers: { location: eventsUrl }, body: { ...begun, eventsUrl } };
}

const Undoing = z.object({ undoId: z.string(), turnId: z.string(), after: z.number().int(), eventsUrl: z.string() });

/** What was copied from another session was done there, and is taken back there. */
const undoRoute = ({ conversations, sessionWorkflows, log }: SessionRoutesDeps): Route =>
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/turns/{turnId}/undo',
    idempotent: true,
    summary: 'Have what a turn has done taken back, the last call first; the events tell what came of it',
    permission: 'invoke:agent',
    params: SessionPath.extend({ turnId: z.string().min(1).max(64) }),
    body: z.strictObject({}),
    response: Undoing,
    status: 202,
    async handle({ params: { turnId, ...session }, caller, idempotencyKey }) {
      await conversations.mustOwn(session, caller);
      const { tenantId, sessionId } = session;
      const [{ agent, closedAt, forkedFrom, parent }, upTo] = await Promise.all([conversations.record(session), forkPoint(log, session, turnId)]);
      if (parent) throw new DomainError('session/of-agent', `An agent works in this session for session ${parent.sessionId}: nothing of it is taken back.`);
      if (closedAt !== undefined) throw new DomainError('session/closed', 'The session is closed: nothing of it is taken back any more.');
      if (forkedFrom && upTo <= forkedFrom.upTo) throw new DomainError('turn/copied', `This turn was copied from session ${forkedFrom.sessionId}: have it taken back there.`);
      const undoId = idFor('undo', idempotencyKey, tenantId, sessionId, turnId);
      const { after } = await sessionWorkflows.undo(session, { undoId, turnId, userId: caller.userId, upTo, agent });
      return toBeFollowed(session, { undoId, turnId, after });
    },
  });

const Forked = z.object({ sessionId: SessionId, turnId: z.string(), from: SessionId });

const forkRoute = ({ conversations, sessionWorkflows, log }: SessionRoutesDeps): Route =>
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/fork',
    idempotent: true,
    summary: 'Begin a new session with what this one said up to the end of a turn; this one stays as it is',
    permission: 'write:session',
    params: SessionPath,
    body: z.strictObject({ turnId: z.string().min(1).max(64), sessionId: SessionId.optional().describe('of the new session; one is made when absent') }),
    response: Forked,
    status: 201,
    otherStatuses: { 202: 'It is a long session: the new one can be found when it has all of it' },
    async handle({ params, body: { turnId, sessionId: wanted }, caller, idempotencyKey, requestDigest }) {
      const owned = await conversations.mustOwn(params, caller);
      const { tenantId, sessionId: from } = params;
      const source = { sessionId: from, turnId, upTo: await forkPoint(log, params, turnId) };
      const sessionId = wanted ?? idFor('session', idempotencyKey, tenantId, from, caller.userId);
      await conversations.mustBeFree({ tenantId, sessionId }, caller, { source, isChosen: wanted !== undefined });
      if (idempotencyKey !== undefined) await conversations.keepRequest(params, caller, { requestId: idFor('request', idempotencyKey, tenantId, from, 'fork', caller.userId), requestDigest });
      const isThere = await sessionWorkflows.fork({ tenantId, sessionId }, owned, source);
      return { status: isThere ? 201 : 202, headers: { location: urlOfSession({ tenantId, sessionId }) }, body: { sessionId, turnId, from } };
    },
  });

const conversationRoutes = ({ conversations, sessionWorkflows }: SessionRoutesDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/messages',
    idempotent: true,
    summary: 'Send a message, with what was uploaded before if it is to go along; its turn runs after those before it',
    permission: 'invoke:agent',
    params: SessionPath,
    body: Message,
    response: Accepted,
    status: 202,
    async handle({ params, body, caller, tenant, idempotencyKey, requestDigest }) {
      const { turnId, after } = await conversations.say(params, { caller, tenant }, { ...body, idempotencyKey, requestDigest });
      return toBeFollowed(params, { turnId, after });
    },
  }),
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/cancel',
    summary: 'Stop the running turn, or the one named',
    permission: 'write:session',
    params: SessionPath,
    body: z.strictObject({ turnId: z.string().min(1).max(64).optional() }),
    response: Nothing,
    status: 202,
    async handle({ params, body: { turnId }, caller }) {
      await conversations.mustOwn(params, caller);
      await sessionWorkflows.cancel(params, turnId);
      return { headers: { location: urlOfSession(params) }, body: {} };
    },
  }),
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/sessions/{sessionId}/close',
    summary: 'Close a session after its running turn',
    permission: 'write:session',
    params: SessionPath,
    body: z.strictObject({}),
    response: Nothing,
    status: 202,
    async handle({ params, caller }) {
      await sessionWorkflows.close(params, await conversations.mustOwn(params, caller));
      return { headers: { location: urlOfSession(params) }, body: {} };
    },
  }),
];
