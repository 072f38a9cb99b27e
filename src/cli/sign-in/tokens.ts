import type { LocalSettings } from '../../contracts/local-settings';
import { CliFailure, exitCodes } from '../failures';
import type { Login, Logins, Realm } from './logins';

/** Where the access token of a command comes from. */
export interface TokenSource {
  readonly from: 'TENURE_TOKEN' | 'login' | 'local stack';
  token(): Promise<string>;
  /** A new one, after the API has refused the old. Absent when there is no way to get one. */
  readonly renew?: () => Promise<string>;
}

export interface TokenSearch {
  readonly realm: Realm;
  readonly logins: Logins;
  readonly local: LocalSettings | undefined;
  /** At the local stack: who speaks as a user of a tenant; created when missing. */
  readonly localUser?: { readonly email: string; readonly groups: readonly string[] };
  readonly env?: NodeJS.ProcessEnv;
}

/** A token is renewed this long before it ends, so that no request meets its end. */
const renewBeforeMs = 60_000;

/**
 * TENURE_TOKEN, then the login at this API, then the accounts of the local stack, if it is this API.
 * @throws CliFailure when there is none of these.
 */
export async function findTokens({ realm, logins, local, localUser, env = process.env }: TokenSearch): Promise<TokenSource> {
  const given = env['TENURE_TOKEN'];
  if (given !== undefined && given !== '') return { from: 'TENURE_TOKEN', token: () => Promise.resolve(given) };
  const login = await logins.of(realm);
  if (login) return ofLogin(login, logins);
  if (local?.apiUrl === realm.apiUrl) return ofLocalStack(local, realm, localUser);
  const who = realm.tenantId === undefined ? '' : ` --tenant ${realm.tenantId}`;
  throw new CliFailure(exitCodes.notSignedIn, `You are not signed in at ${realm.apiUrl}${who && ` as a user of ${realm.tenantId ?? ''}`}.`, `tenure login --api ${realm.apiUrl}${who}`);
}

function ofLogin(login: Login, logins: Logins): TokenSource {
  let current = login;
  const renew = async (): Promise<string> => {
    if (current.refreshToken === undefined) return current.accessToken;
    const { createCognitoLogin } = await import('../../adapters/aws/cognito-login.js');
    current = { ...current, ...(await createCognitoLogin(current.place).renew(current.refreshToken)) };
    await logins.put(current);
    return current.accessToken;
  };
  const isFresh = () => Date.parse(current.expiresAt) - Date.now() > renewBeforeMs;
  return { from: 'login', token: async () => (isFresh() ? current.accessToken : renew()), renew };
}

/** As today's operator of the local stack, or as a user of a tenant made on the spot. */
function ofLocalStack(local: LocalSettings, { tenantId }: Realm, user: TokenSearch['localUser']): TokenSource {
  let known: Promise<string> | undefined;
  const signIn = async (): Promise<string> => {
    const { localAccounts } = await import('../accounts.js');
    const accounts = localAccounts(local);
    if (tenantId === undefined) return accounts.operatorToken();
    return (await accounts.userTokens(tenantId, user?.email ?? 'you@example.com', user?.groups)).accessToken;
  };
  const renew = () => (known = signIn());
  return { from: 'local stack', token: () => known ?? renew(), renew };
}
