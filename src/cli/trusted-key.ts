import { z } from 'zod';
import { PublicKey } from '../contracts/public-key';
import { ApiClient } from './api-client';
import type { Cli } from './cli';
import { CliFailure, exitCodes } from './failures';
import { readJsonFile } from './terminal/files';

/** A key by itself, or as the API answers it. */
const KeyFile = z.union([PublicKey, z.object({ jwk: PublicKey }).transform(({ jwk }) => jwk)]);

/** A key of the platform's that is public: nobody needs to be signed in. */
export async function publishedKey(cli: Cli, path: string): Promise<PublicKey> {
  const { apiUrl } = await cli.target();
  return PublicKey.parse((await new ApiClient(apiUrl).call<{ jwk: unknown }>(path)).jwk);
}

/** @param path - where the API publishes it. */
export async function keyOf(file: string, path: string): Promise<PublicKey> {
  const parsed = KeyFile.safeParse(await readJsonFile(file));
  if (!parsed.success) throw new CliFailure(exitCodes.usage, `${file} is not a key of the platform's.`, `It is what this answers: curl "$API${path}" > key.json`);
  return parsed.data;
}
