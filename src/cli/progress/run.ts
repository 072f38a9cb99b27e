import type { Operation } from '../../contracts/operation';
import type { Access } from '../access';
import type { ApiRequest } from '../api-client';
import type { Cli } from '../cli';
import { CliFailure, exitCodes } from '../failures';
import { createDisplay } from './display';
import { wordsOf } from '../terminal/table';
import { followOperation } from './follow';

export interface Waiting {
  /** False with `--no-wait`. */
  readonly wait?: boolean;
}

/** Starts an operation by a request, and shows it to its end. @throws CliFailure when it did not end well. */
export async function startOperation(cli: Cli, path: string, request: ApiRequest, { wait = true }: Waiting): Promise<void> {
  const access = await cli.operator();
  const operation = await access.call<Operation>(path, request);
  const { operationId } = operation;
  if (wait) return watchToEnd(cli, access, operationId);
  cli.out.result(operation, () => operationId);
  cli.out.note(`Watch it with: tenure operation watch ${operationId}`);
}

/** Shows an operation while it runs, and its end as the result. Ctrl-C leaves it running. @throws CliFailure when it did not end well. */
export async function watchToEnd(
  cli: Cli,
  access: Access,
  operationId: string,
  onEach?: (operation: Operation) => void,
  wanted: readonly Operation['state'][] = ['completed'],
): Promise<void> {
  const ended = await interruptible(operationId, () => show(cli, access, operationId, onEach));
  if (!wanted.includes(ended.state)) throw new OperationEnded(ended);
}

async function show({ out }: Cli, access: Access, operationId: string, onEach?: (operation: Operation) => void): Promise<Operation> {
  const display = createDisplay(out);
  let last: Operation | undefined;
  try {
    const onTrouble = () => display.trouble('The API does not answer; the operation goes on, and so does this display once it does.');
    for await (const operation of followOperation(operationId, (path, opening) => access.stream(path, opening), { onTrouble, onRecovery: () => display.trouble(undefined) })) {
      last = operation;
      onEach?.(operation);
      display.show(operation);
    }
  } finally {
    display.end();
  }
  if (!last) throw new CliFailure(exitCodes.unavailable, `Nothing was heard of ${operationId}.`);
  if (out.json && !onEach) out.result(last, () => '');
  if (out.quiet && !out.json) out.write(`${operationId}\n`);
  return last;
}

/** The operation is the platform's: what ends here is only the watching. */
async function interruptible<T>(operationId: string, watching: () => Promise<T>): Promise<T> {
  const leave = () => {
    process.stderr.write(`\nThe operation goes on without you. Come back with:\n  tenure operation watch ${operationId}\nTake it back with:\n  tenure operation cancel ${operationId}\n`);
    process.exit(exitCodes.interrupted);
  };
  // Before the one that only ends the process.
  process.prependOnceListener('SIGINT', leave);
  try {
    return await watching();
  } finally {
    process.removeListener('SIGINT', leave);
  }
}

/** An operation that was undone or cancelled. The display has said so already; a script reads the exit code. */
export class OperationEnded extends CliFailure {
  constructor({ kind, tenantId, state, error, operationId }: Operation) {
    super(exitCodes.failed, `The ${wordsOf(kind)} of ${tenantId} was ${state}${error ? `: ${error.message}` : ''}.`, `See its steps: tenure operation show ${operationId}`);
  }
}
