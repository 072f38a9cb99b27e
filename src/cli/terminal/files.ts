import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { CliFailure, exitCodes } from '../failures';

/** A file, or standard input for `-`. @throws CliFailure */
export async function readInput(file: string): Promise<string> {
  return file === '-' ? text(process.stdin) : (await readBytes(file)).toString('utf8');
}

/** @throws CliFailure */
export async function readBytes(file: string): Promise<Buffer> {
  return readFile(file).catch((error: unknown) => {
    throw new CliFailure(exitCodes.usage, `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
}

/** @throws CliFailure when it is not JSON. */
export async function readJsonFile(file: string): Promise<unknown> {
  const content = await readInput(file);
  try {
    return JSON.parse(content) as unknown;
  } catch (error) {
    throw new CliFailure(exitCodes.usage, `${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
