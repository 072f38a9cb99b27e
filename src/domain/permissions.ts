import { groups } from '../contracts/names';

/** `action:resource`. Every route names the one it needs. */
export const permissions = [
  'invoke:agent',
  'read:session',
  /** Sessions of every user of the tenant, not only one's own. */
  'read:any-session',
  'write:session',
  /** Has an agent given prompts by the clock, in one's own name. */
  'write:schedule',
  /** Pauses and deletes schedules of every user of the tenant. */
  'write:any-schedule',
  /** What agents remember of oneself. */
  'read:memory',
  /** Corrects and deletes it. */
  'write:memory',
  /** Sees, corrects and deletes what agents remember of every user of the tenant. */
  'write:any-memory',
  /** Sees and decides approvals in the sessions of every user of the tenant. */
  'approve:tool',
  /** What came of an erasure one asked for, with its proof; with `write:erasure` of any. */
  'read:erasure',
  /** Erases users, and sessions of every user of the tenant. */
  'write:erasure',
  'read:config',
  'write:config',
  'read:usage',
  /** What may be spent: operators set the tenant's limits, administrators limits within those. */
  'write:budget',
  /** Who there is in a tenant, and what they may do. */
  'read:user',
  'write:user',
  'read:api-key',
  'write:api-key',
  'read:machine-client',
  'write:machine-client',
  /** Who did what, and who was refused. */
  'read:audit',
  'read:tenant',
  'write:tenant',
  'read:operation',
  /** What workflow histories hold, in plain text: ids, counts, states and failures. */
  'read:history',
  'write:operation',
  'read:maintenance',
  'write:maintenance',
  /** Signs operators out. */
  'write:operator',
] as const;
export type Permission = (typeof permissions)[number];

/** Whose pool a token comes from: a tenant's, or the platform's. */
export type Realm = 'tenant' | 'operator';

/** A role is a Cognito group of this name. */
export interface Role {
  readonly summary: string;
  readonly permissions: readonly Permission[];
}

const ofMembers = ['invoke:agent', 'read:session', 'write:session', 'write:schedule', 'read:memory', 'write:memory', 'read:erasure'] as const satisfies readonly Permission[];

/**
 * All roles there are. Separate by realm, because a tenant's administrator may name groups as they like: `operators` in a tenant's own
 * pool means nothing. Operators run tenants, and read no conversations.
 */
export const roles: Readonly<Record<Realm, Readonly<Record<string, Role>>>> = {
  tenant: {
    [groups.members]: { summary: 'talk to the agent in sessions of their own, by the clock, too; see, correct and delete what it remembers of them; erase those sessions', permissions: ofMembers },
    [groups.approvers]: { summary: "see everybody's sessions, and decide on tool calls", permissions: ['approve:tool', 'read:session', 'read:any-session'] },
    [groups.auditors]: { summary: "see everybody's sessions, the agent, users, API keys, machine clients, usage and audit log; change nothing", permissions: ['read:session', 'read:any-session', 'read:config', 'read:usage', 'read:user', 'read:api-key', 'read:machine-client', 'read:audit'] },
    [groups.administrators]: {
      summary: 'all that a tenant can do itself',
      permissions: [...ofMembers, 'write:any-schedule', 'write:any-memory', 'write:erasure', 'approve:tool', 'read:any-session', 'read:config', 'write:config', 'read:usage', 'write:budget', 'read:user', 'write:user', 'read:api-key', 'write:api-key', 'read:machine-client', 'write:machine-client', 'read:audit'],
    },
  },
  operator: {
    [groups.operators]: {
      summary: 'run the platform and its tenants; no conversations',
      permissions: [
        ...['read:tenant', 'write:tenant', 'read:config', 'read:usage', 'write:budget', 'read:operation', 'write:operation', 'read:history', 'read:maintenance', 'write:maintenance'] as const,
        ...['read:user', 'write:user', 'read:api-key', 'write:api-key', 'read:machine-client', 'write:machine-client', 'write:operator', 'read:audit', 'read:erasure', 'write:erasure'] as const,
      ],
    },
  },
};

/** Names of a tenant's roles. */
export const tenantRoles = Object.keys(roles.tenant) as [string, ...string[]];

/** What a user may do: the union over the user's groups; groups Tenure does not know grant nothing. */
export const permissionsOf = (realm: Realm, userGroups: readonly string[]): ReadonlySet<Permission> =>
  new Set(userGroups.flatMap((group) => (Object.hasOwn(roles[realm], group) ? (roles[realm][group]?.permissions ?? []) : [])));
