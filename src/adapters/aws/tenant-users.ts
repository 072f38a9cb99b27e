import {
  AdminAddUserToGroupCommand,
  AdminCreateUserCommand,
  AdminDeleteUserCommand,
  AdminDisableUserCommand,
  AdminEnableUserCommand,
  AdminGetUserCommand,
  AdminRemoveUserFromGroupCommand,
  AdminUpdateUserAttributesCommand,
  AdminUserGlobalSignOutCommand,
  type AttributeType,
  type CognitoIdentityProviderClient,
  CreateGroupCommand,
  ListUsersCommand,
  paginateAdminListGroupsForUser,
  paginateListUsers,
} from '@aws-sdk/client-cognito-identity-provider';
import { DomainError } from '../../contracts/errors';
import type { TenantUser, TenantUsers } from '../../ports/provisioning';
import { isAwsError } from './failures';
import { randomPassword, setPassword } from './passwords';

/** @returns whether it was done; `false` when AWS answered with that error. */
async function unlessError(request: Promise<unknown>, name: string): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (error) {
    if (isAwsError(error, name)) return false;
    throw error;
  }
}

interface CognitoUser {
  readonly Username?: string | undefined;
  readonly Enabled?: boolean | undefined;
}

const valueOf = (attributes: readonly AttributeType[] | undefined, name: string): string =>
  attributes?.find(({ Name }) => Name === name)?.Value ?? '';

/**
 * Makes "forgot password" the way in: Cognito opens it to who has a password and a verified address. The address is verified last: where it is not, a
 * restore made the user, be it an attempt that ended before; where it is, the password stays, be it that of an invitation.
 */
async function letForgetPassword(cognito: CognitoIdentityProviderClient, who: { UserPoolId: string; Username: string }): Promise<void> {
  const { UserStatus, UserAttributes } = await cognito.send(new AdminGetUserCommand(who));
  if (valueOf(UserAttributes, 'email_verified') === 'true') return;
  if (UserStatus === 'FORCE_CHANGE_PASSWORD') await setPassword(cognito, who.UserPoolId, { email: who.Username, password: randomPassword() });
  await cognito.send(new AdminUpdateUserAttributesCommand({ ...who, UserAttributes: [{ Name: 'email_verified', Value: 'true' }] }));
}

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

  /** Makes the group when there is none. */
  async function join({ UserPoolId, Username, GroupName }: { UserPoolId: string; Username: string; GroupName: string }): Promise<void> {
    const add = () => cognito.send(new AdminAddUserToGroupCommand({ UserPoolId, Username, GroupName }));
    if (await unlessError(add(), 'ResourceNotFoundException')) return;
    await unlessError(cognito.send(new CreateGroupCommand({ UserPoolId, GroupName })), 'GroupExistsException');
    await add();
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
      for (const GroupName of groups) await join({ UserPoolId, Username: email, GroupName });
      const user = await cognito.send(new AdminGetUserCommand({ UserPoolId, Username: email }));
      return described(UserPoolId, user, user.UserAttributes);
    },

    async restore(UserPoolId, { email, groups, enabled }) {
      const who = { UserPoolId, Username: email };
      const UserAttributes = [
        { Name: 'email', Value: email },
        { Name: 'email_verified', Value: 'false' },
      ];
      await unlessError(cognito.send(new AdminCreateUserCommand({ ...who, UserAttributes, MessageAction: 'SUPPRESS' })), 'UsernameExistsException');
      await letForgetPassword(cognito, who);
      for (const GroupName of groups) await join({ ...who, GroupName });
      for (const GroupName of await groupsOf(UserPoolId, email)) if (!groups.includes(GroupName)) await cognito.send(new AdminRemoveUserFromGroupCommand({ ...who, GroupName }));
      await cognito.send(enabled ? new AdminEnableUserCommand(who) : new AdminDisableUserCommand(who));
      const user = await cognito.send(new AdminGetUserCommand(who));
      return described(UserPoolId, user, user.UserAttributes);
    },

    async delete(UserPoolId, email) {
      await unlessError(cognito.send(new AdminDeleteUserCommand({ UserPoolId, Username: email })), 'UserNotFoundException');
    },

    async *all(UserPoolId) {
      for await (const { Users } of paginateListUsers({ client: cognito, pageSize: 60 }, { UserPoolId }))
        for (const user of Users ?? []) yield await described(UserPoolId, user, user.Attributes);
    },

    ...directory(cognito, described),
    ...changes(cognito, join),
  };
}

type Describe = (userPoolId: string, user: CognitoUser, attributes: readonly AttributeType[] | undefined) => Promise<TenantUser>;

const directory = (cognito: CognitoIdentityProviderClient, described: Describe): Pick<TenantUsers, 'list' | 'get'> => ({
  async list(UserPoolId, { limit, cursor }) {
    try {
      const { Users = [], PaginationToken } = await cognito.send(new ListUsersCommand({ UserPoolId, Limit: limit, ...(cursor !== undefined && { PaginationToken: cursor }) }));
      const users = await Promise.all(Users.map((user) => described(UserPoolId, user, user.Attributes)));
      return { users, ...(PaginationToken !== undefined && { nextCursor: PaginationToken }) };
    } catch (error) {
      if (cursor === undefined || !isAwsError(error, 'InvalidParameterException')) throw error;
      throw new DomainError('cursor/unknown', 'The cursor is not one of this list. Start without one.', { cause: error });
    }
  },

  async get(UserPoolId, userId) {
    // One at most: the filter is an equality, and `sub` is unique.
    const { Users: [found] = [] } = await cognito.send(new ListUsersCommand({ UserPoolId, Filter: `sub = "${userId}"`, Limit: 1 }));
    return found && described(UserPoolId, found, found.Attributes);
  },
});

type Join = (member: { UserPoolId: string; Username: string; GroupName: string }) => Promise<void>;

const changes = (cognito: CognitoIdentityProviderClient, join: Join): Pick<TenantUsers, 'setGroups' | 'setEnabled' | 'signOut'> => ({
  async setGroups(UserPoolId, { email, groups }, wanted) {
    const who = { UserPoolId, Username: email };
    for (const GroupName of wanted.of) {
      const [isIn, shouldBe] = [groups.includes(GroupName), wanted.in.includes(GroupName)];
      if (!isIn && shouldBe) await join({ ...who, GroupName });
      else if (isIn && !shouldBe) await cognito.send(new AdminRemoveUserFromGroupCommand({ ...who, GroupName }));
    }
  },

  async setEnabled(UserPoolId, { email }, enabled) {
    const who = { UserPoolId, Username: email };
    await cognito.send(enabled ? new AdminEnableUserCommand(who) : new AdminDisableUserCommand(who));
  },

  async signOut(UserPoolId, { email }) {
    await cognito.send(new AdminUserGlobalSignOutCommand({ UserPoolId, Username: email }));
  },
});
