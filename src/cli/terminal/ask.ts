import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliFailure, exitCodes } from '../failures';

/** Asks a person, on standard error, so that standard output holds results only. @throws CliFailure when nobody answers. */
export async function ask(question: string, { hidden = false }: { readonly hidden?: boolean } = {}): Promise<string> {
  const output = new Writable({
    write(chunk, _encoding, done) {
      // Readline writes back what is typed; of a password, nothing.
      if (!hidden) process.stderr.write(chunk as Uint8Array);
      done();
    },
  });
  const terminal = createInterface({ input: process.stdin, output, terminal: process.stdin.isTTY });
  const abandoned = new Promise<never>((_resolve, reject) => {
    terminal.once('SIGINT', () => reject(new CliFailure(exitCodes.interrupted, 'Nothing was done.')));
    terminal.once('close', () => reject(new CliFailure(exitCodes.refused, 'Nothing was done: there was no answer.')));
  });
  try {
    if (hidden) process.stderr.write(question);
    return await Promise.race([terminal.question(hidden ? '' : question), abandoned]);
  } finally {
    terminal.close();
    if (hidden) process.stderr.write('\n');
  }
}
