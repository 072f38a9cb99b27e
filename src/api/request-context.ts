import type { RequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import { newId } from '../contracts/ids';

export interface RequestContext {
  readonly requestId: string;
  /** Says which request, and later which tenant and session, a line is about. */
  logger: Logger;
  /** Aborted when the caller has gone away, or the process is about to stop. */
  readonly signal: AbortSignal;
}

export interface RequestContextDeps {
  readonly logger: Logger;
  /** Aborted when the process is about to stop: ends streams, and the wait of who waits for an answer. */
  readonly stopping: AbortSignal;
}

/** What the first handler of the app noted for all that follow. */
export const contextOf = (response: Response): RequestContext => response.locals['context'] as RequestContext;

/**
 * Gives each request its id, its logger and its signal.
 */
export function requestContext({ logger, stopping }: RequestContextDeps): RequestHandler {
  // By hand: AbortSignal.any leaks on Node.js 20 when one of its signals lives as long as the process.
  const open = new Set<AbortController>();
  stopping.addEventListener('abort', () => open.forEach((controller) => controller.abort()));

  return (request, response, next) => {
    const requestId = newId('request');
    const controller = new AbortController();
    const context: RequestContext = { requestId, logger: logger.child({ requestId }), signal: controller.signal };
    const startedAt = performance.now();
    response.locals['context'] = context;
    response.setHeader('X-Request-Id', requestId);
    open.add(controller);
    if (stopping.aborted) controller.abort();
    response.once('close', () => {
      open.delete(controller);
      controller.abort();
      const { method, path } = request;
      const durationMs = Math.round(performance.now() - startedAt);
      context.logger.info({ method, path, status: response.statusCode, durationMs, cutShort: !response.writableFinished }, 'request');
    });
    next();
  };
}
