import type { LocalSettings } from '../contracts/local-settings';
import { groups } from '../contracts/names';
import { Access } from './access';
import { ApiClient } from './api-client';
import { CliFailure, exitCodes } from './failures';
import { findLocalSettings } from './settings';
import { Logins } from './sign-in/logins';
import { findTokens, type TokenSource } from './sign-in/tokens';
import { createOutput, type Output } from './terminal/output';

/** What every command takes. */
export interface GlobalOptions {
  readonly api?: string;
  readonly json?: true;
  readonly quiet?: true;
  readonly color: boolean;
}

/** Which API a command talks to, and how that was found. */
export interface Target {
  readonly apiUrl: string;
  readonly from: '--api' | 'TENURE_API_URL' | 'local stack' | 'login';
  readonly local: LocalSettings | undefined;
}

/** What a command has at hand. */
export class Cli {
  readonly out: Output;
  readonly logins = new Logins();

  constructor(private readonly options: GlobalOptions) {
    this.out = createOutput({ json: options.json === true, quiet: options.quiet === true, color: options.color });
  }

  /** `--api`, then TENURE_API_URL, then the local stack that runs here, then where you signed in last. @throws CliFailure */
  async target(): Promise<Target> {
    const local = await findLocalSettings();
    if (this.options.api !== undefined) return { apiUrl: originOf(this.options.api, '--api'), from: '--api', local };
    const fromEnv = process.env['TENURE_API_URL'];
    if (fromEnv !== undefined && fromEnv !== '') return { apiUrl: originOf(fromEnv, 'TENURE_API_URL'), from: 'TENURE_API_URL', local };
    if (local) return { apiUrl: local.apiUrl, from: 'local stack', local };
    const [latest] = await this.logins.all();
    if (latest) return { apiUrl: latest.apiUrl, from: 'login', local };
    throw new CliFailure(exitCodes.unavailable, 'Which API? No local stack runs here, and you have not signed in anywhere.', 'Run "npm start" in another terminal, or: tenure login --api <url>');
  }

  /** The API as an operator. @throws CliFailure when nobody is signed in. */
  operator(): Promise<Access> {
    return this.access({});
  }

  /** The API as a user of a tenant. At the local stack the user is made on the spot. @throws CliFailure */
  tenantUser(tenantId: string, localUser?: { readonly email: string; readonly groups: readonly string[] }): Promise<Access> {
    return this.access({ tenantId, ...(localUser && { localUser }) });
  }

  /** The API as an administrator of a tenant. @throws CliFailure */
  administrator(tenantId: string, email: string): Promise<Access> {
    return this.tenantUser(tenantId, { email, groups: [groups.administrators] });
  }

  async tokens({ tenantId, localUser }: Caller): Promise<TokenSource> {
    const { apiUrl, local } = await this.target();
    return findTokens({ realm: { apiUrl, tenantId }, logins: this.logins, local, ...(localUser && { localUser }) });
  }

  private async access(caller: Caller): Promise<Access> {
    const { apiUrl } = await this.target();
    return new Access(new ApiClient(apiUrl), await this.tokens(caller));
  }
}

interface Caller {
  readonly tenantId?: string | undefined;
  readonly localUser?: { readonly email: string; readonly groups: readonly string[] };
}

/** @throws CliFailure when it is no address. */
function originOf(text: string, from: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new CliFailure(exitCodes.usage, `${from} must be an address such as https://tenure.example.com; it is "${text}".`);
  return new URL(text).href.replace(/\/+$/, '');
}
