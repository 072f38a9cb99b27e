import type { IsolationProbe } from '../../ports/isolation-probe';
import type { TenantUsers } from '../../ports/provisioning';
import type { SessionDirectory } from '../../ports/session-store';
import { groups } from '../../contracts/names';
import { type AwsSettings, createPlatformClients, type PlatformClients } from '../aws/clients';
import { createCognitoLogin } from '../aws/cognito-login';
import { randomPassword, setPassword } from '../aws/passwords';
import type { TenantAccess } from '../aws/tenant-access';
import { apiDoors } from './api-doors';
import { awsDoors } from './aws-doors';
import { type SealedDoorDeps, sealedDoors } from './sealed-doors';

export interface IsolationProbeDeps extends SealedDoorDeps {
  readonly settings: AwsSettings;
  readonly aws: PlatformClients;
  readonly access: TenantAccess;
  readonly users: TenantUsers;
  readonly sessions: SessionDirectory;
  /** Where the API is; undefined: it is not tried. */
  readonly apiUrl: string | undefined;
}

/** Tries to get at a tenant with what another one really has: the credentials of its role, and a token of its pool. */
export function createIsolationProbe({ settings, aws, access, users, sessions, apiUrl, ...sealed }: IsolationProbeDeps): IsolationProbe {
  return {
    async doors(intruder, other) {
      // Clients of every service, with no more than the role's credentials; being refused is no reason to fetch them anew.
      const { credentials } = access.clients(intruder.tenant.tenantId, 'isolation-probe').kms.config;
      // Without any, all would be refused, and show nothing.
      await credentials();
      const as = createPlatformClients(settings, credentials);
      const [session] = (await sessions.list(other.tenantId, { limit: 1 })).sessions;
      return [
        ...awsDoors(as, other, { isEmulator: settings.endpoint !== undefined }),
        ...sealedDoors(as, intruder.tenant, sealed),
        ...(await apiDoors(intruder, other, { apiUrl, sessionId: session?.sessionId })),
      ];
    },

    async signUp({ infrastructure: { userPoolId, userPoolClientId } }, email) {
      const login = { email, password: randomPassword() };
      await users.restore(userPoolId, { email, groups: [groups.administrators, groups.members], enabled: true });
      await setPassword(aws.cognito, userPoolId, login);
      return (await createCognitoLogin({ region: settings.region, endpoint: settings.endpoint ?? `https://cognito-idp.${settings.region}.amazonaws.com`, clientId: userPoolClientId }).signIn(login)).accessToken;
    },

    remove: ({ infrastructure: { userPoolId } }, email) => users.delete(userPoolId, email),
  };
}
