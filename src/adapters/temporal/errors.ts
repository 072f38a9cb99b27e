import {
  isGrpcServiceError,
  QueryNotRegisteredError,
  ServiceError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { DomainError, publicFailure } from '../../contracts/errors';

/** gRPC's own numbers: the client's package does not export their names. */
const grpc = { cancelled: 1, unknown: 2, invalidArgument: 3, deadlineExceeded: 4, notFound: 5, permissionDenied: 7, resourceExhausted: 8, failedPrecondition: 9, aborted: 10, internal: 13, unavailable: 14 } as const;

/**
 * FAILED_PRECONDITION is how the server says that no worker has looked at the workflow yet; INTERNAL, that a connection broke; CANCELLED, that the worker it
 * asked died; UNKNOWN, that something of its own went wrong ("please retry").
 */
const passing: ReadonlySet<number> = new Set([grpc.cancelled, grpc.unknown, grpc.aborted, grpc.deadlineExceeded, grpc.resourceExhausted, grpc.failedPrecondition, grpc.internal, grpc.unavailable]);

const retryAfterSeconds = 2;

/**
 * Calls Temporal and speaks of its failures in Tenure's terms.
 *
 * @throws DomainError with the code that an update's handler or validator failed with; `dependency/unavailable` when
 * Temporal, or a worker to answer for it, cannot be reached in time; `dependency/denied` when it refuses. Anything else passes through.
 */
export async function translating<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw translated(error);
  }
}

/** As {@link translating}, with undefined for a workflow that does not exist, or no longer runs when it was to be told something. */
export async function unlessMissing<T>(call: () => Promise<T>): Promise<T | undefined> {
  return translating(async () => {
    try {
      return await call();
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  });
}

/** For a `catch`: what was to be deleted is gone already. The raw service, which histories are deleted by, has no error class for it. */
export function unlessGone(error: unknown): void {
  if (codeInGrpc(error) !== grpc.notFound) throw error;
}

function translated(error: unknown): unknown {
  if (error instanceof WorkflowUpdateFailedError) {
    const { code, message } = publicFailure(error, 'internal/bug');
    return new DomainError(code, message, { cause: error });
  }
  if (codeInGrpc(error) === grpc.permissionDenied) return new DomainError('dependency/denied', `Temporal does not allow it. Give Tenure's credentials the right to.`, { cause: error });
  if (isPassing(error))
    return new DomainError('dependency/unavailable', 'Temporal does not answer, or no worker does: try again.', { cause: error, retryAfterSeconds });
  return error;
}

function isPassing(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
  // The SDK takes INVALID_ARGUMENT for a query nobody answers. It is how the server says that the worker failed at it, for whatever reason: our
  // queries are registered before anything else, so what failed is the look into the history (its key is away, the machine is at its limit).
  if (error instanceof QueryNotRegisteredError) return true;
  const code = codeInGrpc(error);
  return code !== undefined && passing.has(code);
}

/** Whether Temporal makes nothing of what it was asked. */
export const isInvalidArgument = (error: unknown): boolean => codeInGrpc(error) === grpc.invalidArgument;

function codeInGrpc(error: unknown): number | undefined {
  const cause = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(cause) ? cause.code : undefined;
}
