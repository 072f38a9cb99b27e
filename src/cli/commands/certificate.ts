import { apiPath } from '../access';
import { command, type GroupSpec } from '../command';
import { CliFailure, exitCodes } from '../failures';
import { readJsonFile } from '../terminal/files';
import { keyOf, publishedKey } from '../trusted-key';

const keyPath = apiPath`/certificates/key`;

const verify = command<{ key?: string }>({
  usage: 'verify <file>',
  summary: 'check that a deletion certificate is as it was signed; exit code 1 when it is not',
  options: [{ flags: '--key <file>', description: "the platform's key as JSON (a JWK); asks the API for it when absent, and nobody when given" }],
  examples: ['tenure certificate verify acme.json', 'tenure certificate verify acme.json --key key.json'],
  async run(cli, { key }, file: string) {
    const document = await readJsonFile(file);
    const trusted = key === undefined ? await publishedKey(cli, keyPath) : await keyOf(key, keyPath);
    // Only this command pays for the signature's code.
    const { verifyCertificate } = await import('../../adapters/certificate-signature.js');
    const verification = await verifyCertificate(document, trusted);
    if (!verification.isValid) throw new CliFailure(exitCodes.failed, `${file} is not valid: ${verification.reason}`);
    const { tenantId, operationId, issuedAt, resources } = verification.signed.certificate;
    const facts = { isValid: true, tenantId, operationId, issuedAt, absent: resources.filter(({ outcome }) => outcome === 'absent').length, signedWith: trusted.kid };
    cli.out.result(facts, () => `${file} is valid.\n${cli.out.facts({ ...facts, isValid: undefined })}`);
  },
});

/** For those who were handed a certificate. */
export const certificateCommands: GroupSpec = { name: 'certificate', summary: 'deletion certificates', commands: [verify] };
