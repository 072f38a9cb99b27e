import { z } from 'zod';
import { DomainError } from '../../../contracts/errors';
import { isAllowedOrigin } from '../../../domain/egress';
import { mustHaveAnswered } from '../../../domain/must-have-answered';
import type { HttpCaller } from '../../../ports/http-caller';
import { defineTool } from './tool';

const attemptMs = 30_000;

export const httpRequest = (http: HttpCaller) =>
  defineTool({
    name: 'http_request',
    description: 'Calls an HTTP address the tenant allows, and returns status and body. Repetitions of one call carry one Idempotency-Key.',
    input: z.object({
      method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('GET'),
      url: z.url({ protocol: /^https?$/ }),
      body: z.union([z.string().max(100_000), z.record(z.string(), z.json())]).optional().describe('text, or an object sent as JSON'),
    }),
    output: z.object({ status: z.number(), contentType: z.string(), body: z.string(), isCut: z.boolean() }),
    timeoutMs: attemptMs + 5_000,
    maxAttempts: 5,
    effect: ({ method }) => (method === 'GET' ? 'read' : 'write'),
    mayRepeat: ({ url }, { idempotentOrigins }) => isAllowedOrigin(idempotentOrigins, url),
    async run({ method, url, body }, { agent, idempotencyKey, signal }) {
      const { origin } = new URL(url);
      if (!isAllowedOrigin(agent.allowedOrigins, url))
        throw new DomainError('tool/invalid-input', `${origin} is not among the origins this tenant allows.`);
      const answer = await http.call({
        method,
        url,
        headers: { 'idempotency-key': idempotencyKey, accept: 'application/json, text/*', ...(body !== undefined && { 'content-type': contentType(body) }) },
        ...(body !== undefined && method !== 'GET' && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        timeoutMs: attemptMs,
        maxResponseBytes: 65_536,
        signal,
      });
      mustHaveAnswered(answer, origin);
      return { status: answer.status, contentType: answer.contentType, body: answer.body, isCut: answer.isCut };
    },
  });

const contentType = (body: unknown) => (typeof body === 'string' ? 'text/plain' : 'application/json');
