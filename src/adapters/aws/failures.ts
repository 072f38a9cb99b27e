import { Readable } from 'node:stream';
import { DomainError } from '../../contracts/errors';

const unreachableCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'EPIPE', 'ETIMEDOUT']);

const throttlingNames = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'Throttling',
  'ThrottledException',
  'ThrottlingException',
  'TooManyRequestsException',
  'TransactionInProgressException',
]);

const collisions = new Set<string | undefined>(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded']);

/** A transaction that met another one on the same item, or throttling; not one whose condition did not hold. */
const isCollision = (reasons: readonly (string | undefined)[]): boolean => !reasons.includes(conditionFailed) && reasons.some((reason) => collisions.has(reason));

/** A signature from another time. The SDK sets its clock by AWS's answers; what it sends while the process's own is moved is refused all the same. */
const clockNames = new Set(['InvalidSignatureException', 'RequestExpired', 'RequestInTheFuture', 'RequestTimeTooSkewed', 'SignatureDoesNotMatch']);

/** Connection failures, timeouts, throttling, server faults and clocks that disagree: trying again later can help. */
function isUnavailable(error: Error & { code?: unknown; $metadata?: { httpStatusCode?: number } }): boolean {
  if (isCollision(reasonsOf(error))) return true;
  if (typeof error.code === 'string' && unreachableCodes.has(error.code)) return true;
  return error.name === 'TimeoutError' || throttlingNames.has(error.name) || clockNames.has(error.name) || (error.$metadata?.httpStatusCode ?? 0) >= 500;
}

const quotaNames = new Set([
  'LimitExceeded',
  'LimitExceededException',
  'ParameterLimitExceeded',
  'ResourceLimitExceededException',
  'ServiceQuotaExceededException',
  'TooManyBuckets',
]);

/** Credentials that AWS does not take (any more), or that do not allow what was asked. */
const refusalNames = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidAccessKeyId',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
]);

interface Handled {
  readonly output: { readonly Body?: unknown };
}

interface Stack {
  add(middleware: (next: (args: never) => Promise<Handled>, context: { commandName?: string }) => (args: never) => Promise<Handled>, options: { step: 'initialize'; name: string; priority: 'high' }): void;
}

/**
 * Makes a client throw DomainError `dependency/unavailable` once its own retries are used up on a service that can't be
 * reached, throttles or fails; `dependency/denied` when it refuses the credentials or what they ask for, and
 * `infrastructure/quota-exceeded` when the account may have no more. All other errors (a condition that did not hold) pass as they are. The same
 * holds of the bodies of its answers, which are read when the client's own work is over.
 *
 * @param onRefused - told of requests that were refused for their credentials.
 */
export function translatingFailures<Client extends { readonly middlewareStack: unknown; readonly config: { readonly serviceId: string } }>(
  client: Client,
  onRefused?: () => void,
): Client {
  const service = client.config.serviceId;
  // The outermost step: what it sees has been retried already.
  (client.middlewareStack as Stack).add(
    (next, { commandName = 'request' }) => async (args) => {
      const action = commandName.replace(/Command$/, '');
      try {
        const handled = await next(args);
        if (handled.output.Body instanceof Readable) translateEnd(handled.output.Body, (error) => translated(error, service, action));
        return handled;
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        if (refusalNames.has(error.name)) onRefused?.();
        throw translated(error, service, action);
      }
    },
    { step: 'initialize', name: 'translatingFailures', priority: 'high' },
  );
  return client;
}

/** Whatever breaks a stream off destroys it, with what its reader is thrown. */
function translateEnd(body: Readable, translate: (error: Error) => Error): void {
  const destroy = body.destroy.bind(body);
  body.destroy = (error) => destroy(error && translate(error));
}

function translated(error: Error, service: string, action: string): Error {
  if (refusalNames.has(error.name)) return new DomainError('dependency/denied', `${service} does not allow ${action}. Give Tenure's role this right.`, { cause: error });
  if (quotaNames.has(error.name)) return quotaExceeded(`${service} refused ${action}: ${error.message}`, error);
  if (isUnavailable(error)) return new DomainError('dependency/unavailable', `${service} does not answer. Try again later.`, { cause: error });
  return error;
}

/** @param what - which quota, in AWS's words. */
export const quotaExceeded = (what: string, cause?: unknown): DomainError =>
  new DomainError('infrastructure/quota-exceeded', `${what.replace(/\.?$/, '.')} Ask AWS for a higher quota or offboard tenants that are not needed, then start again.`, { cause });

/** Whether CloudFormation's reason for a failure tells of a quota: it has no code of its own for it. */
export const tellsOfQuota = (reason: string): boolean => /limit ?exceeded|quota|too many|maximum number|limit of .* (has been )?reached/i.test(reason);

/** The answer of a conditional write of DynamoDB's, or what `refused` makes of it when the condition did not hold. */
export async function unlessRefused<T, Other>(write: Promise<T>, refused: (cause: Error) => Promise<Other> | Other): Promise<T | Other> {
  try {
    return await write;
  } catch (error) {
    if (isAwsError(error, 'ConditionalCheckFailedException')) return refused(error);
    throw error;
  }
}

const conditionFailed = 'ConditionalCheckFailed';

/** Why DynamoDB called a transaction off: a reason for each of its items. Empty for any other failure. */
export function reasonsOf(error: unknown): (string | undefined)[] {
  if (!isAwsError(error, 'TransactionCanceledException')) return [];
  const { CancellationReasons = [] } = error as { CancellationReasons?: readonly { Code?: string }[] };
  return CancellationReasons.map(({ Code }) => Code);
}

/**
 * What became of a transaction of DynamoDB's.
 *
 * @returns the places, among its items, of those whose condition did not hold; empty when all was written.
 * @throws what else it was called off for: nothing is known to stand in its way then, and nothing was written.
 */
export async function brokenConditions(transaction: Promise<unknown>): Promise<number[]> {
  try {
    await transaction;
    return [];
  } catch (error) {
    const broken = reasonsOf(error).flatMap((reason, place) => (reason === conditionFailed ? [place] : []));
    if (broken.length === 0) throw error;
    return broken;
  }
}

/** Whether AWS answered with one of these errors: `isAwsError(error, 'ResourceNotFoundException')`. */
export const isAwsError = (error: unknown, ...names: readonly string[]): error is Error => error instanceof Error && names.includes(error.name);

/** How each service says that there is no such thing. */
const absences = ['NoSuchBucket', 'NoSuchUpload', 'NoSuchEntityException', 'NotFound', 'NotFoundException', 'ResourceNotFoundException', 'ParameterNotFound'] as const;

/** The answer, or undefined when the thing asked for is not there. */
export async function ifThere<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (isAwsError(error, ...absences) || (isAwsError(error, 'ValidationError') && error.message.includes('does not exist'))) return undefined;
    throw error;
  }
}
