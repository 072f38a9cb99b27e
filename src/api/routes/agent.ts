import type { Request } from 'express';
import { z } from 'zod';
import { Usage } from '../../contracts/events';
import { derivedId, newId } from '../../contracts/ids';
import { maxMessageCharacters, OnBusy, SessionId, turnOutcomes } from '../../contracts/session';
import { TenantId } from '../../contracts/tenant';
import { DomainError } from '../../contracts/errors';
import type { Conversations } from '../conversations';
import { InvalidRequest } from '../problem';
import { publicRoute, type Reply, type RouteInput, tenantRoute, type Route } from '../route';
import { answerOf, followTurn, type TurnsDeps } from '../turns';
import { eventsUrl } from './sessions';

const Prompt = z.string().trim().min(1).max(maxMessageCharacters);
const Ask = z.strictObject({ prompt: Prompt, session_id: SessionId.optional(), on_busy: OnBusy.default('enqueue') });
const Invocation = z.object({ tenant_id: TenantId, user_id: z.string().min(1).max(128).optional(), prompt: Prompt });

const Answer = z.object({
  sessionId: z.string(),
  turnId: z.string(),
  /** Absent while the turn goes on: follow `eventsUrl`. */
  answer: z.string().optional(),
  outcome: z.enum([...turnOutcomes, 'running']),
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

export const agentRoutes = (deps: AgentRoutesDeps): Route[] => [
  tenantRoute({
    method: 'post',
    path: '/api/v1/tenant/:tenantId/agent',
    summary: "Ask the tenant's agent: opens a session or goes on with one; answers as JSON, or as it is written with Accept: text/event-stream",
    permission: 'invoke:agent',
    params: z.object({ tenantId: TenantId }),
    body: Ask,
    response: Answer,
    status: 200,
    streams: true,
    handle: (input) => converse(deps, input, { ...input.body, sessionId: input.body.session_id, onBusy: input.body.on_busy }),
  }),
  tenantRoute({
    method: 'post',
    path: '/invocations',
    summary: "AgentCore Runtime's contract: one prompt in, the answer out",
    permission: 'invoke:agent',
    tenantOf: (request: Request) => (request.body as { tenant_id?: unknown } | undefined)?.tenant_id,
    body: Invocation,
    response: Answer,
    status: 200,
    streams: true,
    async handle(input) {
      const { prompt, user_id: userId } = input.body;
      if (userId !== undefined && userId !== input.caller.userId) throw new DomainError('auth/forbidden', 'user_id is another user than the token says.');
      const sessionId = sessionFrom(input.header(runtimeSessionHeader), input.tenant.tenantId);
      return converse(deps, input, { prompt, sessionId, onBusy: 'enqueue' });
    },
  }),
  publicRoute({
    method: 'get',
    path: '/ping',
    summary: "AgentCore Runtime's health check",
    response: z.object({ status: z.enum(['Healthy', 'HealthyBusy']), time_of_last_update: z.number().int() }),
    status: 200,
    handle: () => Promise.resolve({ body: { status: 'Healthy' as const, time_of_last_update: Math.floor(Date.now() / 1_000) } }),
  }),
];

async function converse(
  deps: AgentRoutesDeps,
  { tenant: { tenantId }, caller, idempotencyKey, wantsEvents, signal }: RouteInput<unknown, unknown, unknown> & { tenant: { tenantId: string } },
  ask: { prompt: string; sessionId: string | undefined; onBusy: OnBusy },
): Promise<Reply<Answer>> {
  const { conversations, answerTimeoutMs } = deps;
  const sessionId = ask.sessionId ?? (idempotencyKey === undefined ? newId('session') : derivedId('session', tenantId, caller.userId, idempotencyKey));
  await conversations.open({ tenantId, sessionId }, caller);
  const said = await conversations.say({ tenantId, sessionId }, caller, { text: ask.prompt, onBusy: ask.onBusy, idempotencyKey });
  const place = { sessionId, turnId: said.turnId, eventsUrl: eventsUrl(tenantId, sessionId, said.after) };
  const headers = { 'x-session-id': sessionId, 'x-turn-id': said.turnId };
  if (wantsEvents) return { headers, events: followTurn(deps, { tenantId }, said, signal) };
  const answer = await answerOf(deps, { tenantId }, said, { signal, timeoutMs: answerTimeoutMs });
  if (answer) return { headers, body: { ...place, ...answer } };
  return { status: 202, headers: { ...headers, location: place.eventsUrl }, body: { ...place, outcome: 'running' } };
}

/** AgentCore's session id is `{tenant}_{session}`: neither part holds an underscore. */
function sessionFrom(header: string | undefined, tenantId: string): string | undefined {
  if (header === undefined) return undefined;
  const sessionId = header.startsWith(`${tenantId}_`) ? SessionId.safeParse(header.slice(tenantId.length + 1)) : undefined;
  if (!sessionId?.success) throw new InvalidRequest('header', [{ path: runtimeSessionHeader, message: `a session id here is ${tenantId}_ and 1-64 letters, digits and -` }]);
  return sessionId.data;
}
