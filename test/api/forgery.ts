import { createHmac, createPublicKey, type JsonWebKey } from 'node:crypto';
import { CreateUserPoolClientCommand } from '@aws-sdk/client-cognito-identity-provider';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { createTokenIssuers } from '../../src/adapters/aws/token-issuers';
import { loadConfig } from '../../src/config';
import type { ServedTenant } from '../../src/contracts/tenant';
import { type Account, signIn } from './accounts';

const config = loadConfig();
const aws = createPlatformClients(config.aws);
const issuers = createTokenIssuers({ settings: config.aws, ssm: aws.ssm });

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const decoded = (part: string): object => JSON.parse(Buffer.from(part, 'base64url').toString()) as object;
const partsOf = (token: string): [header: string, payload: string, signature: string] => token.split('.') as [string, string, string];

/** The same claims under `alg: none`. */
export function unsigned(token: string): string {
  const [, payload] = partsOf(token);
  return `${encoded({ alg: 'none', typ: 'JWT' })}.${payload}.`;
}

/** The same claims under HS256, the pool's public key the shared secret: what a naive verifier takes. */
export async function signedWithPublicKey(token: string, { infrastructure }: ServedTenant): Promise<string> {
  const [header, payload] = partsOf(token);
  const { keys } = (await (await fetch(issuers.tenant(infrastructure).jwksUrl)).json()) as { keys: (JsonWebKey & { kid: string })[] };
  const { kid } = decoded(header) as { kid: string };
  const key = keys.find((one) => one.kid === kid);
  if (!key) throw new Error(`The pool does not publish the key ${kid}.`);
  const secret = createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  const signed = `${encoded({ ...decoded(header), alg: 'HS256' })}.${payload}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** One token's signature under the claims of another. */
export function mixed(claimsOf: string, signatureOf: string): string {
  const [header, payload] = partsOf(claimsOf);
  return `${header}.${payload}.${partsOf(signatureOf)[2]}`;
}

/** A genuine access token of the same user and pool, issued to another of its clients. */
export async function ofOtherClient({ infrastructure: { userPoolId } }: ServedTenant, account: Account): Promise<string> {
  const { UserPoolClient } = await aws.cognito.send(
    new CreateUserPoolClientCommand({ UserPoolId: userPoolId, ClientName: 'another', ExplicitAuthFlows: ['ALLOW_USER_PASSWORD_AUTH'] }),
  );
  const pool = { userPoolId, userPoolClientId: UserPoolClient?.ClientId ?? '' };
  return (await signIn(pool, account)).accessToken;
}
