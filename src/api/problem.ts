import type { ErrorRequestHandler } from 'express';
import type { Logger } from 'pino';
import { z } from 'zod';
import { DomainError, errors, publicFailure } from '../contracts/errors';
import { LimitReached } from './rate-limit';
import { contextOf } from './request-context';

/** RFC 9457, with what a program needs to decide. */
export const Problem = z.object({
  /** Leads nowhere: decide by `code`. */
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  requestId: z.string(),
  /** Whether the same request may succeed later. */
  retryable: z.boolean(),
  /** What is wrong, by place in the request. */
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});
export type Problem = z.infer<typeof Problem>;

type Issue = NonNullable<Problem['errors']>[number];

/** A request that does not fit its schemas (`request/malformed`), or asks for what no schema can forbid (`request/inconsistent`). */
export class InvalidRequest extends DomainError {
  constructor(
    readonly issues: readonly Issue[],
    code: 'request/malformed' | 'request/inconsistent' = 'request/malformed',
  ) {
    super(code, issues.map(({ path, message }) => `${path}: ${message}`).join('; '));
  }
}

/** Seconds a caller is asked to wait when nothing better is known. */
const defaultRetryAfterSeconds = 1;

/** @returns what the caller is told, and after how many seconds it may try again, if that makes sense. */
export function problemOf(error: unknown, requestId: string): { problem: Problem; retryAfterSeconds: number | undefined } {
  const { code, message } = publicFailure(error, 'internal/bug');
  const { status, title, retryable } = errors[code];
  const asked = error instanceof DomainError ? error.retryAfterSeconds : undefined;
  return {
    problem: {
      type: `urn:tenure:error:${code}`,
      title,
      status,
      detail: message,
      code,
      requestId,
      retryable,
      ...(error instanceof InvalidRequest && { errors: [...error.issues] }),
    },
    retryAfterSeconds: status === 429 || status === 503 ? Math.ceil(asked ?? defaultRetryAfterSeconds) : undefined,
  };
}

/** A bug is told to us alone; what a service failed at, to both; what the caller did wrong, to the caller. */
export function logFailure(logger: Logger, error: unknown, { status, code }: Problem): void {
  if (code === 'internal/bug') logger.error({ err: error }, 'unexpected error');
  else if (status >= 500) logger.warn({ err: error, code }, 'request failed');
  else logger.debug({ err: error, code }, 'request refused');
}

/** The last handler: every error becomes a problem. */
// eslint-disable-next-line @typescript-eslint/no-unused-vars -- Express knows those who take errors by their four parameters
export const problemHandler: ErrorRequestHandler = (thrown: unknown, _request, response, _next) => {
  const { requestId, logger } = contextOf(response);
  const error = inOurTerms(thrown);
  const { problem, retryAfterSeconds } = problemOf(error, requestId);
  logFailure(logger, error, problem);
  if (response.headersSent) {
    // Whoever reads sees that the end is missing. Express would do the same, and write a stack into the log that is no JSON.
    response.destroy();
    return;
  }
  if (error instanceof LimitReached) response.set(error.headers);
  if (problem.status === 401) response.setHeader('WWW-Authenticate', 'Bearer');
  if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', String(retryAfterSeconds));
  response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
};

/** What Express and its body parser say of a bad request, as an error of the table. */
function inOurTerms(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DomainError || !('status' in error)) return error;
  if (error.status === 413 && 'limit' in error)
    return new DomainError('request/too-large', `The body may have ${String(error.limit)} bytes.`, { cause: error });
  if (error.status === 415) return new DomainError('request/unsupported-media-type', 'Send the body as JSON in UTF-8.', { cause: error });
  if (error.status === 400) return new DomainError('request/malformed', 'The request cannot be read: send a JSON object.', { cause: error });
  return error;
}
