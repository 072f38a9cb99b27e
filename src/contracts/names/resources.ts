import { tenantIdPattern } from './ids';

/** The tag that says whose a resource is. */
export const tenantTag = 'TenantId';

/**
 * What credentials of a tenant's role are for: the session's name and its tag say so in every log of AWS, and its policy allows no
 * more. cloudformation/tenant-infrastructure.yaml lists the same.
 */
export const accessPurposes = ['session-read', 'session-step', 'approvals', 'encryption', 'memory', 'memory-edit', 'config-read', 'config-write', 'usage', 'backup', 'restore', 'erase', 'isolation-probe'] as const;
export type AccessPurpose = (typeof accessPurposes)[number];

/** Of a session of the tenant's role, as CloudTrail shows it: `tenure-acme@session-step`. */
export const accessSessionName = (tenantId: string, purpose: AccessPurpose): string => `tenure-${tenantId}@${purpose}`;

/** The tag of such a session that says what it is for; {@link tenantTag} says whose. */
export const purposeTag = 'Purpose';

/** Names of what a tenant owns in AWS. cloudformation/tenant-infrastructure.yaml spells the same names. */
export const tenantResources = (tenantId: string) =>
  ({
    stack: `tenant-${tenantId}-infrastructure`,
    userPool: `tenant-${tenantId}-pool`,
    userPoolClient: `tenant-${tenantId}-client`,
    keyAlias: `alias/tenant-${tenantId}-key`,
    bucket: `tenant-${tenantId}-data-bucket`,
    table: `tenant-${tenantId}-data`,
    role: `tenant-${tenantId}-access`,
    logGroup: `/tenure/tenant/${tenantId}`,
    alarm: `tenant-${tenantId}-errors`,
    throttleAlarm: `tenant-${tenantId}-throttles`,
    backlogAlarm: `tenant-${tenantId}-backlog`,
    stuckAlarm: `tenant-${tenantId}-stuck`,
    tableAlarm: `tenant-${tenantId}-table`,
    /** AgentCore allows letters, digits and underscores only in some names; ids have no underscore, so these stay unique. */
    memory: `tenant_${underscored(tenantId)}_memory`,
    runtime: `tenant_${underscored(tenantId)}`,
    gateway: `tenant-${singleHyphened(tenantId)}`,
    workloadIdentity: `tenant-${tenantId}-agent`,
    credentialProvider: `tenant-${tenantId}-oauth`,
    scalingPolicy: `tenant-${tenantId}-backlog`,
    parameterPrefix: `/app/tenant/${tenantId}/`,
    agentParameter: `/app/tenant/${tenantId}/agent`,
  }) as const;

/** The parameter with what a source of tools is shown. */
export const toolSecretName = (tenantId: string, source: string): string => `${tenantResources(tenantId).parameterPrefix}tool-sources/${source}`;

const underscored = (tenantId: string): string => tenantId.replaceAll('-', '_');

/** A gateway's name has no two hyphens in a row. Ids have no capital letters, so that H can stand for the second. */
const singleHyphened = (tenantId: string): string => tenantId.replaceAll(/(?<=-)-/g, 'H');

/** Of each alarm of a tenant: what it is called in {@link tenantResources}. */
export const tenantAlarms = ['alarm', 'throttleAlarm', 'backlogAlarm', 'stuckAlarm', 'tableAlarm'] as const satisfies readonly TenantResource[];

/** Under which name a tenant's agent is called in its AgentCore runtime and at its gateway. */
export const agentCoreNames = { endpoint: 'live', target: 'agent-api', rateLimit: 'agent-api-requests' } as const;

export type TenantResource = keyof ReturnType<typeof tenantResources>;

/** What of a tenant is no resource in AWS, and others try to get at all the same: see docs/security.md. */
export const probedBesides = ['api', 'liveStream', 'taskQueue', 'history'] as const;
export type ProbedKind = TenantResource | (typeof probedBesides)[number];

/** The tenant whose resource has this name: the inverse of {@link tenantResources}. Undefined when it is no tenant's. */
export function tenantOfResource(kind: TenantResource, name: string): string | undefined {
  const [prefix = '', suffix = ''] = tenantResources('*')[kind].split('*');
  if (name.length <= prefix.length + suffix.length || !name.startsWith(prefix) || !name.endsWith(suffix)) return undefined;
  const id = name.slice(prefix.length, name.length - suffix.length);
  const tenantId = id.replaceAll(/[_H]/g, '-');
  return tenantIdPattern.test(tenantId) && tenantResources(tenantId)[kind] === name ? tenantId : undefined;
}

export const platformResources = {
  registryTable: 'tenant-registry',
  /** Who is let in no more, and the API keys: of all tenants and of the platform. */
  accessTable: 'tenure-access',
  operatorPool: 'tenure-operators-pool',
  operatorPoolClient: 'tenure-operators-client',
  /** Where the operators' pool and client are, written by the bootstrap. */
  operatorsParameter: '/app/platform/operators',
  backupKeyAlias: 'alias/tenure-backup-key',
  /** On {@link metrics} `stuckOperations`, of all tenants together. */
  stuckAlarm: 'tenure-stuck-operations',
  /** On {@link metrics} `isolationBreaches`, of all tenants together. */
  isolationAlarm: 'tenure-isolation-breaches',
  historyKeyAlias: 'alias/tenure-history-key',
  /** Signs deletion certificates; nothing is encrypted under it. */
  certificateKeyAlias: 'alias/tenure-certificate-key',
  /** Who did what, of all tenants and of the platform; one chain each. */
  auditTable: 'tenure-audit',
  /** Signs heads of audit chains; nothing is encrypted under it. */
  auditKeyAlias: 'alias/tenure-audit-key',
  /** The account keeps the name unique among all AWS customers. */
  backupBucket: (accountId: string) => `tenure-backups-${accountId}`,
} as const;

/** Cognito groups; what they may do is in domain/permissions.ts. */
export const groups = { operators: 'operators', administrators: 'administrators', members: 'members', approvers: 'approvers', auditors: 'auditors' } as const;

/** What a machine client is in Cognito. */
export const machineAccess = {
  /** Of the pool's resource server; and a scope of it, as it stands in a token. */
  resourceServer: 'tenure',
  scope: (permission: string) => `tenure/${permission}`,
  /** Name of the app client. Cognito's list tells names and ids only: when it was made stands in it. */
  appClient: (tenantId: string, clientId: string, madeAtMs: number) => `tenant-${tenantId}-machine-${clientId}-${madeAtMs}`,
  /** Whose app client this is, by its name, and when it was made; 0 when the name does not say. @returns undefined when it is none of these. */
  readAppClient(tenantId: string, name: string): { readonly clientId: string; readonly madeAtMs: number } | undefined {
    const prefix = `tenant-${tenantId}-machine-`;
    if (!name.startsWith(prefix)) return undefined;
    const [clientId = '', madeAtMs = '0'] = name.slice(prefix.length).split('-');
    return { clientId, madeAtMs: Number(madeAtMs) };
  },
  /**
   * Prefix of the pool's domain, under which its token endpoint is. All AWS customers of a region share these names, and none may have `aws`,
   * `amazon` or `cognito` in it, as a tenant's id may. @param unique - lower-case hex.
   */
  domainPrefix: (unique: string) => `tenure-${unique}`,
} as const;

/** Where AgentCore Memory keeps what it knows about one user. */
export const memoryNamespaces = { facts: (userId: string) => `/users/${userId}/facts` } as const;

/** All of what AgentCore Memory keeps of one user. */
export const namespaceOfUser = (userId: string): string => `/users/${userId}/`;

/** Whose facts a namespace holds; undefined when it holds something else. */
export const userOfFacts = (namespace: string): string | undefined => /^\/users\/([^/]+)\/facts$/.exec(namespace)?.[1];

/**
 * What AgentCore makes of a conversation's events, by strategy: where it keeps the result. `{actorId}` is the user; facts it
 * finds lie beside those the user asked to keep.
 */
export const memoryStrategies = {
  facts: { name: 'facts', namespace: memoryNamespaces.facts('{actorId}') },
  preferences: { name: 'preferences', namespace: '/users/{actorId}/preferences' },
  summaries: { name: 'summaries', namespace: '/users/{actorId}/sessions/{sessionId}/summary' },
} as const;

/** Metrics of the platform in CloudWatch, each by tenant: alarms and scaling policies read them by these names. */
export const metrics = {
  namespace: 'MultiTenantAgent',
  dimension: 'TenantId',
  /** Requests of the tenant's own users that the API has answered. */
  requests: 'RequestCount',
  /** Of them those that failed for reasons of ours (5xx). */
  errors: 'ErrorCount',
  /** Of them those over the tenant's rate (429). */
  throttles: 'ThrottleCount',
  /** Until the answer was sent; of a stream, until it began. Milliseconds. */
  latency: 'RequestLatency',
  /** Tasks that wait on the tenant's queue, from Temporal's statistics of task queues; 0 too. */
  backlog: 'TaskQueueBacklog',
  /** How long the oldest of them has waited, in seconds; nothing when none waits. */
  backlogAge: 'TaskQueueBacklogAge',
  /** What the tenant's agents used, as the roll-up counts it: each once, at the hour of its use. Micro-dollars are counted, too. */
  inputTokens: 'InputTokens',
  outputTokens: 'OutputTokens',
  modelCalls: 'ModelCallCount',
  modelCost: 'ModelCostMicroUsd',
  /** Of attempts that broke or were stopped. */
  wastedTokens: 'WastedTokens',
  /** Operations of the tenant of which a step rests until somebody helps. Also without dimension: of all tenants. */
  stuckOperations: 'StuckOperationCount',
  /** Ways by which the tenant's credentials or tokens got at another's. Also without dimension: of all tenants. */
  isolationBreaches: 'IsolationBreachCount',
} as const;
