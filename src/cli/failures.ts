import { CommanderError, InvalidArgumentError } from 'commander';
import { DomainError, errors, type ErrorCode, isErrorCode } from '../contracts/errors';
import { ApiProblem, ApiUnreachable } from './api-client';

/** What the exit code of every command says. docs/cli.md tells them to users. */
export const exitCodes = {
  ok: 0,
  /** It was done, and failed: an operation that was undone, a check that does not hold, a bug. */
  failed: 1,
  /** The command line, or what it asks for, is not valid. */
  usage: 2,
  notFound: 3,
  /** The state of things does not allow it, or it was not confirmed. */
  refused: 4,
  /** Not signed in, or not allowed to. */
  notSignedIn: 5,
  /** Tenure, or something it depends on, does not answer, or is too busy to. */
  unavailable: 6,
  /** Ctrl-C. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A failure the command line itself finds. The message says what happened, the hint what to do. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure';

  constructor(
    readonly exitCode: ExitCode,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** A failure as it is told: on standard error, as text or (with `--json`) as this. */
export interface ToldFailure {
  /** Of the API's table of errors; `cli` when the command line found it itself. */
  readonly code: string;
  readonly message: string;
  readonly status?: number;
  readonly requestId?: string;
  /** What to do. */
  readonly hint?: string;
  readonly exitCode: ExitCode;
}

/** What to say of an error. A bug tells its message; `DEBUG=tenure` shows its stack. */
export function describeFailure(error: unknown): ToldFailure {
  if (error instanceof CliFailure)
    return { code: 'cli', message: error.message, ...(error.hint !== undefined && { hint: error.hint }), exitCode: error.exitCode };
  if (error instanceof ApiProblem) {
    const { code, message, status, requestId } = error;
    return { code, message, status, ...(requestId !== undefined && { requestId }), ...hintOf(code), exitCode: exitCodeOfStatus(status) };
  }
  if (error instanceof ApiUnreachable) return { code: 'cli', message: error.message, hint: unreachable, exitCode: exitCodes.unavailable };
  if (error instanceof DomainError) {
    const { status } = errors[error.code];
    return { code: error.code, message: error.message, status, ...hintOf(error.code), exitCode: exitCodeOfStatus(status) };
  }
  // Found by a command itself: commander tells only those that it finds while it reads the command line.
  if (error instanceof InvalidArgumentError) return { code: 'cli', message: error.message, exitCode: exitCodes.usage };
  // Commander has said what is wrong with the command line by itself.
  if (error instanceof CommanderError) return { code: 'cli', message: '', exitCode: error.exitCode === 0 ? exitCodes.ok : exitCodes.usage };
  return { code: 'cli', message: error instanceof Error ? error.message : String(error), exitCode: exitCodes.failed };
}

const unreachable = 'Check the address (--api, TENURE_API_URL), or start the local stack with "npm start". "tenure doctor" looks closer.';

/** By HTTP status, so that a code that is new to this version of the command line has its exit code, too. */
function exitCodeOfStatus(status: number): ExitCode {
  if (status === 401 || status === 403) return exitCodes.notSignedIn;
  if (status === 404) return exitCodes.notFound;
  if (status === 409) return exitCodes.refused;
  if (status === 429 || status === 502 || status === 503 || status === 504) return exitCodes.unavailable;
  return status < 500 ? exitCodes.usage : exitCodes.failed;
}

const hints: Partial<Record<ErrorCode, string>> = {
  'auth/unauthenticated': 'Sign in again: tenure login',
  'auth/forbidden': 'See who you are with "tenure whoami"; ask an operator for the group.',
  'tenant/not-found': 'See which there are: tenure tenant list',
  'tenant/exists': 'Choose another id, or see whose it is: tenure tenant show <id>',
  'tenant/busy': 'See what works on it: tenure operation list --tenant <id> --state running',
  'tenant/not-active': 'See what it is: tenure tenant show <id>. A suspended tenant comes back with: tenure tenant resume <id>',
  'tenant/leaving': 'It can be kept until deletion begins: tenure tenant keep <id>',
  'tenant/suspended': 'It comes back with: tenure tenant resume <id>',
  'user/not-found': 'See who there is: tenure user list <tenant>',
  'api-key/not-found': 'See which there are: tenure api-key list <tenant>',
  'machine-client/not-found': 'See which there are: tenure machine-client list <tenant>',
  'machine-client/shown': 'If it is lost: tenure machine-client rotate <tenant> <client> --overlap <time>, which keeps what is in use',
  'backup/not-found': 'See which there are: tenure backup list <tenant>',
  'restore/tenant-active': 'Suspend it: tenure tenant suspend <id>. Or restore beside it: tenure tenant restore <new id> --from <id> --backup <backup>',
  'certificate/not-found': 'See how far its offboarding is: tenure operation list --tenant <id> --kind offboarding',
  'maintenance/not-found': 'See which there are: tenure maintenance list, or with --tenant <id>',
  'operation/not-found': 'See which there are: tenure operation list',
  'tier/not-allowed': 'Change the agent first: tenure tenant config <id> --set …',
  'operation/nothing-to-retry': 'See what it does: tenure operation show <id>',
  'operation/not-cancellable': 'See how far it is: tenure operation show <id>',
  'session/not-found': 'See yours: tenure session list <tenant>',
  'dependency/unavailable': 'Try again in a moment; "tenure doctor" says what does not answer.',
  'internal/bug': 'Ask the operators of the API, and quote the request id.',
};

const hintOf = (code: string): { hint?: string } => {
  const hint = isErrorCode(code) ? hints[code] : undefined;
  return hint === undefined ? {} : { hint };
};
