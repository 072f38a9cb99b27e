import {
  isGrpcServiceError,
  ServiceError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { DomainError, publicFailure } from '../../contracts/errors';

/** gRPC's own numbers: the client's package does not export their names. */
const grpc = { deadlineExceeded: 4, resourceExhausted: 8, failedPrecondition: 9, internal: 13, unavailable: 14 } as const;

/** FAILED_PRECONDITION is how the server says that no worker has looked at the workflow yet; INTERNAL, that a connection broke. */
const passing: ReadonlySet<number> = new Set(Object.values(grpc));

const retryAfterSeconds = 2;

/**
 * Calls Temporal and speaks of its failures in Tenure's terms.
 *
 * @throws DomainError with the code that an update's handler or validator failed with; `dependency/unavailable` when
 * Temporal, or a worker to answer for it, cannot be reached in time. Anything else passes through.
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

function translated(error: unknown): unknown {
  if (error instanceof WorkflowUpdateFailedError) {
    const { code, message } = publicFailure(error, 'internal/bug');
    return new DomainError(code, message, { cause: error });
  }
  if (isPassing(error))
    return new DomainError('dependency/unavailable', 'Temporal does not answer, or no worker does: try again.', { cause: error, retryAfterSeconds });
  return error;
}

function isPassing(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
  const cause = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(cause) && passing.has(cause.code);
}
