import { decodeJwt } from 'jose';
import { groups } from '../../contracts/names';
import { tenantRoles } from '../../domain/permissions';
import { command, type CommandSpec, shared } from '../command';
import { CliFailure, exitCodes } from '../failures';
import { signInAt } from '../sign-in/sign-in';

interface OfTenant {
  readonly tenant?: string;
}

const tenantOption = { flags: '--tenant <tenantId>', description: 'as a user of this tenant; as an operator when absent' };

const login = command<OfTenant & { user?: string; passwordStdin?: true }>({
  usage: 'login',
  summary: 'sign in at an API, and stay signed in',
  options: [
    tenantOption,
    { flags: '--user <email>', description: 'who you are; asked when absent' },
    { flags: '--password-stdin', description: 'read the password from the first line of standard input, further answers from the next' },
  ],
  examples: ['tenure login --api https://tenure.example.com', 'pass tenure | tenure login --user ops@example.com --password-stdin'],
  async run(cli, { tenant, user, passwordStdin }) {
    const { apiUrl } = await cli.target();
    const signedIn = await signInAt({ apiUrl, tenantId: tenant }, { user, passwordStdin: passwordStdin === true });
    await cli.logins.put(signedIn);
    const { email, expiresAt } = signedIn;
    cli.out.result({ apiUrl, ...(tenant !== undefined && { tenantId: tenant }), email, expiresAt }, () => `Signed in at ${apiUrl} as ${email}.`);
  },
});

const logout = command<OfTenant>({
  usage: 'logout',
  summary: 'end a login, here and at Cognito',
  options: [tenantOption],
  async run(cli, { tenant }) {
    const { apiUrl } = await cli.target();
    const realm = { apiUrl, tenantId: tenant };
    const found = await cli.logins.of(realm);
    if (!found) throw new CliFailure(exitCodes.notSignedIn, `You are not signed in at ${apiUrl}.`);
    await cli.logins.remove(realm);
    if (found.refreshToken !== undefined) {
      const { createCognitoLogin } = await import('../../adapters/aws/cognito-login.js');
      await createCognitoLogin(found.place).revoke(found.refreshToken);
    }
    cli.out.result({ apiUrl, email: found.email }, () => `Signed out at ${apiUrl}.`);
  },
});

const whoami = command<OfTenant>({
  usage: 'whoami',
  summary: 'show where and as whom commands are given',
  options: [tenantOption],
  async run(cli, { tenant }) {
    const { apiUrl, from } = await cli.target();
    const source = await cli.tokens({ tenantId: tenant });
    const claims = decodeJwt(await source.token());
    const { email } = (await cli.logins.of({ apiUrl, tenantId: tenant })) ?? {};
    const facts = {
      api: apiUrl,
      apiFrom: from,
      realm: tenant ?? 'operators',
      email: source.from === 'login' ? email : undefined,
      userId: claims.sub,
      groups: (claims['cognito:groups'] as string[] | undefined)?.join(', '),
      tokenFrom: source.from,
      expires: claims.exp === undefined ? undefined : new Date(claims.exp * 1_000).toISOString(),
    };
    cli.out.result(facts, () => cli.out.facts(facts));
  },
});

const token = command<OfTenant & { user: string; group: string }>({
  usage: 'token',
  summary: 'print an access token, for other programs; good for an hour',
  options: [
    tenantOption,
    shared.user,
    { flags: '--group <group>', description: 'at the local stack: group the user is put in', choices: tenantRoles, default: groups.members },
  ],
  examples: ['curl -H "Authorization: Bearer $(tenure token)" $API/api/v1/tenants'],
  async run(cli, { tenant, user, group }) {
    const source = await cli.tokens({ tenantId: tenant, localUser: { email: user, groups: [group] } });
    const accessToken = await source.token();
    cli.out.result({ accessToken }, () => accessToken);
  },
});

export const accountCommands: readonly CommandSpec[] = [login, logout, whoami, token];
