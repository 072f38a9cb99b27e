import { z } from 'zod';
import { AgentReference } from '../../contracts/agent-reference';
import { Usage } from '../../contracts/events';
import { idFor } from '../../contracts/ids';
import { sessionIdPattern, tenantIdPattern } from '../../contracts/names';
import { OnBusy, SessionId, type SessionRef, turnOutcomes } from '../../contracts/session';
import { type ServedTenant, TenantId } from '../../contracts/tenant';
import { DomainError } from '../../contracts/errors';
import { writtenText } from '../../contracts/written-text';
import type { Conversations } from '../conversations';
import { InvalidRequest } from '../problem';
import { publicRoute, type Reply, type RouteInput, tenantRoute, type Route } from '../route';
import { answerOf, followTurn, type TurnsDeps } from '../turns';
import { TenantPath, urlOfEvents } from './paths';
import { AttachmentIds } from './sessions';

/** How long it may be is the tier's to say. */
const Prompt = writtenText({});
const Ask = z.strictObject({ prompt: Prompt, session_id: SessionId.optional(), agent: AgentReference.optional(), attachments: AttachmentIds, on_busy: OnBusy.default('enqueue') });
const Invocation = z.object({ tenant_id: TenantId, user_id: z.string().min(1).max(128).optional(), prompt: Prompt });

const Answer = z.object({
  sessionId: z.string(),
  turnId: z.string(),
  /** Absent while the turn goes on: follow `eventsUrl`. */
  answer: z.string().optional(),
  /** Of an agent with a `responseSchema`: what the answer says. */
  value: z.json().optional(),
  outcome: z.enum([...turnOutcomes, 'running']),
  /** Why the answer is not whole, if it is not: such as `model/cut-off`. */
  code: z.string().optional(),
  usage: Usage.optional(),
  eventsUrl: z.string(),
});
type Answer = z.infer<typeof Answer>;

export interface AgentRoutesDeps extends TurnsDeps {
  readonly conversations: Conversations;
  readonly answerTimeoutMs: number;
}

/** AgentCore passes its session id here. @see https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/runtime-http-protocol-contract.html */
const runtimeSessionHeader = 'x-amzn-bedrock-agentcore-runtime-session-id';

const runtimeSessionPattern = new RegExp(`${tenantIdPattern.source.slice(0, -1)}_${sessionIdPattern.source.slice(1)}`);

/** The status has not changed since: AgentCore takes this time as that of the last change. */
const healthySince = Math.floor(Date.now() / 1_000);

export const agentRoutes = (deps: AgentRoutesDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenant/{tenantId}/agent',
    idempotent: true,
    summary: "Ask the tenant's agent: opens a session or goes on with one; answers as JSON, or as it is written with Accept: text/event-stream",
    permission: 'invoke:agent',
    params: TenantPath,
    body: Ask,
    response: Answer,
    status: 200,
    otherStatuses: { 202: 'The turn goes on; `location` leads to its events' },
    streams: true,
    handle: (input) => converse(deps, input, { ...input.body, sessionId: input.body.session_id, onBusy: input.body.on_busy }),
  }),
  tenantRoute({
    method: 'post',
    path: '/invocations',
    idempotent: true,
    summary: "AgentCore Runtime's contract: one prompt in, the answer out",
    permission: 'invoke:agent',
    headers: { [runtimeSessionHeader]: { description: '`{tenant}_{session}`; the session is opened when there is none', pattern: runtimeSessionPattern } },
    tenantOf: (request) => runtimeSessionOf(request.get(runtimeSessionHeader)).tenantId,
    body: Invocation,
    response: Answer,
    status: 200,
    otherStatuses: { 202: 'The turn goes on; `location` leads to its events' },
    streams: true,
    async handle(input) {
      const { prompt, tenant_id: tenantId, user_id: userId } = input.body;
      if (tenantId !== input.tenant.tenantId) throw new InvalidRequest([{ path: 'body.tenant_id', message: 'this is not the tenant of the session' }], 'request/inconsistent');
      if (userId !== undefined && userId !== input.caller.userId) throw new DomainError('auth/forbidden', 'user_id is another user than the token says.');
      const { sessionId } = runtimeSessionOf(input.header(runtimeSessionHeader));
      return converse(deps, input, { prompt, sessionId, onBusy: 'enqueue' });
    },
  }),
  publicRoute({
    method: 'get',
    path: '/ping',
    isProbe: true,
    summary: "AgentCore Runtime's health check",
    response: z.object({ status: z.enum(['Healthy', 'HealthyBusy']), time_of_last_update: z.number().int() }),
    status: 200,
    // Never busy: turns run in the workers, and outlive this process.
    handle: () => Promise.resolve({ body: { status: 'Healthy' as const, time_of_last_update: healthySince } }),
  }),
];

async function converse(
  deps: AgentRoutesDeps,
  { tenant, caller, idempotencyKey, requestDigest, wantsEvents, signal }: RouteInput<unknown, unknown, unknown> & { tenant: ServedTenant },
  ask: { prompt: string; attachments?: readonly string[] | undefined; sessionId: string | undefined; agent?: string | undefined; onBusy: OnBusy },
): Promise<Reply<Answer>> {
  const { conversations, answerTimeoutMs } = deps;
  const { tenantId } = tenant;
  const sessionId = ask.sessionId ?? idFor('session', idempotencyKey, tenantId, caller.userId);
  const message = { text: ask.prompt, attachments: ask.attachments, onBusy: ask.onBusy, idempotencyKey, requestDigest, opens: { agent: ask.agent } };
  const said = await conversations.say({ tenantId, sessionId }, { caller, tenant }, message);
  const place = { sessionId, turnId: said.turnId, eventsUrl: urlOfEvents({ tenantId, sessionId }, said.after) };
  const headers = { 'x-session-id': sessionId, 'x-turn-id': said.turnId };
  if (wantsEvents) return { headers, events: followTurn(deps, { tenantId }, said, signal) };
  const answer = await answerOf(deps, { tenantId }, said, { signal, timeoutMs: answerTimeoutMs });
  if (answer) return { headers, body: { ...place, ...answer } };
  return { status: 202, headers: { ...headers, location: place.eventsUrl }, body: { ...place, outcome: 'running' } };
}

/**
 * AgentCore's session id is `{tenant}_{session}`: neither part holds an underscore. It names the tenant before anything
 * else is read, so that a body is only parsed for who may send one.
 */
function runtimeSessionOf(header: string | undefined): SessionRef {
  const [tenantId, sessionId] = header?.split('_', 2) ?? [];
  const session = z.object({ tenantId: TenantId, sessionId: SessionId }).safeParse({ tenantId, sessionId });
  if (session.success && header === `${session.data.tenantId}_${session.data.sessionId}`) return session.data;
  throw new InvalidRequest([{ path: `header.${runtimeSessionHeader}`, message: 'must be {tenant}_{session}, the session 1-64 letters, digits and -' }]);
}
