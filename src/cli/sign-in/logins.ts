import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { SignIn } from '../../contracts/sign-in';
import { CliFailure, exitCodes } from '../failures';

/** Somebody who signed in at an API: as an operator, or (with `tenantId`) as a user of a tenant. */
const Login = z.object({
  apiUrl: z.url(),
  tenantId: z.string().optional(),
  email: z.string(),
  /** Where the tokens are renewed. */
  place: SignIn,
  accessToken: z.string(),
  refreshToken: z.string().optional(),
  expiresAt: z.iso.datetime(),
});
export type Login = z.infer<typeof Login>;

const LoginFile = z.object({ version: z.literal(1), logins: z.array(Login) });

/** Whose login: an API's operators, or one of its tenants. */
export interface Realm {
  readonly apiUrl: string;
  readonly tenantId?: string | undefined;
}

/** `TENURE_CONFIG_DIR`, or where this system keeps its users' settings. */
export const configDirectory = (env: NodeJS.ProcessEnv = process.env): string =>
  env['TENURE_CONFIG_DIR'] ??
  path.join(env['XDG_CONFIG_HOME'] ?? (process.platform === 'win32' ? env['APPDATA'] : undefined) ?? path.join(os.homedir(), '.config'), 'tenure');

/** The logins of this user of the machine, in one file that nobody else reads. */
export class Logins {
  readonly file: string;

  constructor(private readonly directory = configDirectory()) {
    this.file = path.join(directory, 'logins.json');
  }

  /** The latest first. @throws CliFailure when the file is not readable. */
  async all(): Promise<Login[]> {
    const text = await readFile(this.file, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new CliFailure(exitCodes.failed, `Your logins cannot be read: ${(error as Error).message}`);
    });
    if (text === undefined) return [];
    const parsed = LoginFile.safeParse(parseJson(text));
    if (!parsed.success) throw new CliFailure(exitCodes.failed, `${this.file} does not hold logins.`, 'Delete it, and sign in again: tenure login');
    return parsed.data.logins;
  }

  async of(realm: Realm): Promise<Login | undefined> {
    return (await this.all()).find((login) => isOf(login, realm));
  }

  async put(login: Login): Promise<void> {
    await this.write([login, ...(await this.all()).filter((other) => !isOf(other, login))]);
  }

  async remove(realm: Realm): Promise<void> {
    await this.write((await this.all()).filter((login) => !isOf(login, realm)));
  }

  /** At once or not at all, and never readable by others. */
  private async write(logins: readonly Login[]): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const aside = `${this.file}.${process.pid}`;
    await writeFile(aside, `${JSON.stringify({ version: 1, logins }, null, 2)}\n`, { mode: 0o600 });
    await rename(aside, this.file);
  }
}

const isOf = (login: Realm, realm: Realm): boolean => login.apiUrl === realm.apiUrl && login.tenantId === realm.tenantId;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
