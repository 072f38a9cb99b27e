import {
  AdminAddUserToGroupCommand,
  AdminCreateUserCommand,
  AdminGetUserCommand,
  type AttributeType,
  type CognitoIdentityProviderClient,
  paginateAdminListGroupsForUser,
  paginateListUsers,
} from '@aws-sdk/client-cognito-identity-provider';
import type { TenantUser, TenantUsers } from '../../ports/provisioning';
import { isAwsError } from './failures';

interface CognitoUser {
  readonly Username?: string | undefined;
  readonly Enabled?: boolean | undefined;
}

const valueOf = (attributes: readonly AttributeType[] | undefined, name: string): string =>
  attributes?.find(({ Name }) => Name === name)?.Value ?? '';

/** Users of Cognito pools whose user name is an e-mail address. */
export function createTenantUsers({ cognito }: { cognito: CognitoIdentityProviderClient }): TenantUsers {
  async function groupsOf(UserPoolId: string, Username: string): Promise<string[]> {
    const names: string[] = [];
    for await (const { Groups } of paginateAdminListGroupsForUser({ client: cognito }, { UserPoolId, Username }))
      names.push(...(Groups ?? []).flatMap(({ GroupName }) => GroupName ?? []));
    return names;
  }

  async function described(userPoolId: string, user: CognitoUser, attributes: readonly AttributeType[] | undefined): Promise<TenantUser> {
    return {
      userId: valueOf(attributes, 'sub'),
      email: valueOf(attributes, 'email'),
      groups: await groupsOf(userPoolId, user.Username ?? ''),
      enabled: user.Enabled ?? true,
    };
  }

  return {
    async create(UserPoolId, { email, groups }) {
      try {
        await cognito.send(
          new AdminCreateUserCommand({
            UserPoolId,
            Username: email,
            UserAttributes: [
              { Name: 'email', Value: email },
              { Name: 'email_verified', Value: 'true' },
            ],
            DesiredDeliveryMediums: ['EMAIL'],
          }),
        );
      } catch (error) {
        if (!isAwsError(error, 'UsernameExistsException')) throw error;
      }
      for (const GroupName of groups) await cognito.send(new AdminAddUserToGroupCommand({ UserPoolId, Username: email, GroupName }));
      const user = await cognito.send(new AdminGetUserCommand({ UserPoolId, Username: email }));
      return described(UserPoolId, user, user.UserAttributes);
    },

    async *all(UserPoolId) {
      for await (const { Users } of paginateListUsers({ client: cognito, pageSize: 60 }, { UserPoolId }))
        for (const user of Users ?? []) yield await described(UserPoolId, user, user.Attributes);
    },
  };
}
