import { z } from 'zod';
import { PublicKey } from '../../contracts/certificate';
import { ApiClient } from '../api-client';
import { apiPath } from '../access';
import type { Cli } from '../cli';
import { command, type GroupSpec } from '../command';
import { CliFailure, exitCodes } from '../failures';
import { readJsonFile } from '../terminal/files';

/** A key by itself, or as `GET /api/v1/certificates/key` answers it. */
const KeyFile = z.union([PublicKey, z.object({ jwk: PublicKey }).transform(({ jwk }) => jwk)]);

const verify = command<{ key?: string }>({
  usage: 'verify <file>',
  summary: 'check that a deletion certificate is as it was signed; exit code 1 when it is not',
  options: [{ flags: '--key <file>', description: "the platform's key as JSON (a JWK); asks the API for it when absent, and nobody when given" }],
  examples: ['tenure certificate verify acme.json', 'tenure certificate verify acme.json --key key.json'],
  async run(cli, { key }, file: string) {
    const document = await readJsonFile(file);
    const trusted = key === undefined ? await publishedKey(cli) : await keyOf(key);
    // Only this command pays for the signature's code.
    const { verifyCertificate } = await import('../../adapters/certificate-signature.js');
    const verification = await verifyCertificate(document, trusted);
    if (!verification.isValid) throw new CliFailure(exitCodes.failed, `${file} is not valid: ${verification.reason}`);
    const { tenantId, operationId, issuedAt, resources } = verification.signed.certificate;
    const facts = { isValid: true, tenantId, operationId, issuedAt, absent: resources.filter(({ outcome }) => outcome === 'absent').length, signedWith: trusted.kid };
    cli.out.result(facts, () => `${file} is valid.\n${cli.out.facts({ ...facts, isValid: undefined })}`);
  },
});

/** The key is public: nobody needs to be signed in. */
async function publishedKey(cli: Cli): Promise<PublicKey> {
  const { apiUrl } = await cli.target();
  return PublicKey.parse((await new ApiClient(apiUrl).call<{ jwk: unknown }>(apiPath`/certificates/key`)).jwk);
}

async function keyOf(file: string): Promise<PublicKey> {
  const parsed = KeyFile.safeParse(await readJsonFile(file));
  if (!parsed.success) throw new CliFailure(exitCodes.usage, `${file} is not the key of certificates.`, 'It is what this answers: curl "$API/api/v1/certificates/key" > key.json');
  return parsed.data;
}

/** For those who were handed a certificate. */
export const certificateCommands: GroupSpec = { name: 'certificate', summary: 'deletion certificates', commands: [verify] };
