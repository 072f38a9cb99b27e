import type { RequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import type { AuditActor } from '../contracts/audit';
import { newId } from '../contracts/ids';
import type { AnsweredRequest } from '../domain/traffic';

export interface RequestContext {
  readonly requestId: string;
  /** By `performance.now()`. */
  readonly receivedAtMs: number;
  /** Says which request, and later which tenant and session, a line is about. */
  logger: Logger;
  /** Aborted when the caller has gone away, or the process is about to stop. */
  readonly signal: AbortSignal;
  /** Whose user asks. Undefined until the token is verified, and for operators: strangers are nobody's traffic. */
  tenantId?: string;
  /** Who asks, once the token is verified. */
  actor?: AuditActor;
  /** When a stream began, by `performance.now()`: how long it lasts is no latency. */
  streamsSinceMs?: number;
  /** Status of the problem that broke a stream off, whose head had said 200. */
  brokenOffWith?: number;
}

/** Who counts what tenants ask. */
export interface Traffic {
  note(request: AnsweredRequest): void;
}

export interface RequestContextDeps {
  readonly logger: Logger;
  /** Aborted when the process is about to stop: ends streams, and the wait of who waits for an answer. */
  readonly stopping: AbortSignal;
  readonly traffic: Traffic;
}

/** What the first handler of the app noted for all that follow. */
export const contextOf = (response: Response): RequestContext => response.locals['context'] as RequestContext;

/** Gives each request its id, its logger and its signal; once it is over, it is logged, and counted for its tenant. */
export function requestContext({ logger, stopping, traffic }: RequestContextDeps): RequestHandler {
  // By hand: AbortSignal.any leaks on Node.js 20 when one of its signals lives as long as the process.
  const open = new Set<AbortController>();
  stopping.addEventListener('abort', () => open.forEach((controller) => controller.abort()));

  return (request, response, next) => {
    const requestId = newId('request');
    const controller = new AbortController();
    const receivedAtMs = performance.now();
    const context: RequestContext = { requestId, receivedAtMs, logger: logger.child({ requestId }), signal: controller.signal };
    response.locals['context'] = context;
    response.setHeader('X-Request-Id', requestId);
    open.add(controller);
    if (stopping.aborted) controller.abort();
    response.once('close', () => {
      open.delete(controller);
      controller.abort();
      const { method, path } = request;
      const endedAtMs = performance.now();
      const durationMs = Math.round(endedAtMs - receivedAtMs);
      const { tenantId, streamsSinceMs = endedAtMs, brokenOffWith = response.statusCode } = context;
      if (tenantId !== undefined) traffic.note({ tenantId, status: brokenOffWith, ...(response.headersSent && { latencyMs: streamsSinceMs - receivedAtMs }) });
      context.logger.info({ method, path, status: response.statusCode, durationMs, cutShort: !response.writableFinished }, 'request');
    });
    next();
  };
}
