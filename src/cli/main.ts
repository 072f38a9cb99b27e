#!/usr/bin/env node
import { complete } from './completion/complete';
import { describeFailure, exitCodes, type ToldFailure } from './failures';
import { createProgram } from './program';
import { painter } from './terminal/paint';

/** On standard error, so that standard output holds results only. */
function tell({ exitCode, ...failure }: ToldFailure, flags: { readonly json?: true; readonly color?: boolean }): void {
  const { code, message, hint, requestId } = failure;
  if (message === '') return;
  if (flags.json) return void process.stderr.write(`${JSON.stringify({ error: { ...failure, exitCode } })}\n`);
  const paint = painter(flags.color !== false, process.stderr);
  const lines = [
    `${paint('red', code === 'cli' ? 'tenure' : code)}: ${message}`,
    ...(hint === undefined ? [] : [`  ${hint}`]),
    ...(requestId === undefined ? [] : [paint('dim', `  request ${requestId}`)]),
  ];
  process.stderr.write(`${lines.join('\n')}\n`);
}

async function main(): Promise<void> {
  process.once('SIGINT', () => process.exit(exitCodes.interrupted));
  // Whoever reads this may have seen enough: `tenure operation list | head -1`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failed));
  const program = createProgram();
  const [first, ...words] = process.argv.slice(2);
  try {
    // Not a command of its own: the words behind it are those of another, and not complete.
    if (first === '__complete') await complete(program, words);
    else await program.parseAsync();
  } catch (error) {
    const failure = describeFailure(error);
    tell(failure, program.opts());
    if (process.env['DEBUG'] === 'tenure') console.error(error);
    process.exitCode = failure.exitCode;
  }
}

void main();
