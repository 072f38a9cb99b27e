import { groups } from '../contracts/names';

/** `action:resource`. Every route names the one it needs. */
export const permissions = [
  'invoke:agent',
  'read:session',
  /** Sessions of every user of the tenant, not only one's own. */
  'read:any-session',
  'write:session',
  'read:config',
  'write:config',
  'read:usage',
  'read:tenant',
  'write:tenant',
  'read:operation',
  /** What workflow histories hold, in plain text: ids, counts, states and failures. */
  'read:history',
  'write:operation',
  'read:maintenance',
  'write:maintenance',
] as const;
export type Permission = (typeof permissions)[number];

/** Whose pool a token comes from: a tenant's, or the platform's. */
export type Realm = 'tenant' | 'operator';

const ofMembers = ['invoke:agent', 'read:session', 'write:session'] as const satisfies readonly Permission[];

/**
 * Separate by realm, because a tenant's administrator may name groups as they like: `operators` in a tenant's own pool
 * means nothing. Operators run tenants, and read no conversations.
 */
const granted: Record<Realm, Readonly<Record<string, readonly Permission[]>>> = {
  tenant: {
    [groups.members]: ofMembers,
    [groups.administrators]: [...ofMembers, 'read:any-session', 'read:config', 'write:config', 'read:usage'],
  },
  operator: {
    [groups.operators]: ['read:tenant', 'write:tenant', 'read:config', 'read:usage', 'read:operation', 'write:operation', 'read:history', 'read:maintenance', 'write:maintenance'],
  },
};

/** What a user may do: the union over the user's groups; groups Tenure does not know grant nothing. */
export const permissionsOf = (realm: Realm, userGroups: readonly string[]): ReadonlySet<Permission> =>
  new Set(userGroups.flatMap((group) => (Object.hasOwn(granted[realm], group) ? (granted[realm][group] ?? []) : [])));
