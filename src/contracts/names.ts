/** Every durable name in one place: renaming one is a data migration, so review it as one. */

/** 3-32 characters, so that every AWS name derived below is legal. */
export const tenantIdPattern = /^[a-z][a-z0-9-]{2,31}$/;

/** Ids Tenure keeps for itself: its own name among tenants, folders of its backup bucket, and tenants built for a rehearsal. */
export const reservedTenantIds = { platform: 'platform', bucketFolders: ['certificates', 'erasures', 'reports'], scratchPrefix: 'scratch-' } as const;

export const isReservedTenantId = (tenantId: string): boolean =>
  tenantId === reservedTenantIds.platform || (reservedTenantIds.bucketFolders as readonly string[]).includes(tenantId) || isScratchTenant(tenantId);

/** Whether it was built for a rehearsal: a restored copy that serves nobody, and is deleted at its end. */
export const isScratchTenant = (tenantId: string): boolean => tenantId.startsWith(reservedTenantIds.scratchPrefix);

/** The scratch tenant of one rehearsal. @param unique - letters and digits; the last 20 count. */
export const scratchTenantId = (unique: string): string => `${reservedTenantIds.scratchPrefix}${unique.slice(-20)}`;

/** No underscore: it separates tenant and session in AgentCore's session id. */
export const sessionIdPattern = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/;

/** Made of what was uploaded: the same twice in a session is one. */
export const attachmentIdPattern = /^att-[0-9a-hjkmnp-tv-z]{26}$/;

export const taskQueues = {
  sessions: 'sessions',
  lifecycle: 'lifecycle',
  /** What runs by the clock: a night of a thousand backups keeps no onboarding waiting. */
  maintenance: 'maintenance',
  tenant: (tenantId: string) => `tenant-${tenantId}`,
} as const;

/** The tenant comes first, so that one prefix query lists all of a tenant's work. */
export const workflowIds = {
  session: (tenantId: string, sessionId: string) => `${tenantId}/sessions/${tenantId}_${sessionId}`,
  operation: (operationId: string) => `${tenantOfOperation(operationId)}/operations/${operationId}`,
  /** Temporal appends the time to it, one run a time. @param owner - a tenant, or the platform. */
  maintenance: (owner: string, job: MaintenanceJobName) => `${owner}/maintenance/${job}`,
  /** One at a time. */
  maintenanceByHand: (owner: string, job: MaintenanceJobName) => `${owner}/maintenance/${job}-by-hand`,
  /** Of a scheduled agent; Temporal appends the time to it. */
  scheduledRun: (tenantId: string, schedule: string) => `${tenantId}/scheduled/${schedule}`,
  scheduledRunByHand: (tenantId: string, schedule: string, runId: string) => `${tenantId}/scheduled/${schedule}/${runId}`,
} as const;

/** The platform among tenants: what is its own in Temporal bears this in place of a tenant's id. */
export const platformOwner = 'platform';

/** What runs by the clock: a name is part of its schedule's id, beside it is the type of its workflow. */
export const maintenanceJobs = {
  backup: 'nightlyBackup',
  usage: 'usageRollUp',
  stale_sessions: 'staleSessionClosing',
  drift: 'driftDetection',
  orphans: 'orphanSearch',
  recovery_drill: 'recoveryDrill',
  backlog: 'backlogMeasuring',
  expiry: 'expiryCheck',
  audit: 'auditSigning',
  isolation_probe: 'isolationProbe',
} as const satisfies Readonly<Record<string, string>>;
export type MaintenanceJobName = keyof typeof maintenanceJobs;

export const scheduleIds = {
  of: (owner: string, job: string) => `${owner}/schedules/${job}`,
  /** What the Temporal Schedule of a scheduled agent is called among the tenant's: no job has a slash in its name. */
  agentJob: (schedule: string) => `agents/${schedule}`,
} as const;

/** Of scheduled agents: a part of ids. */
export const scheduleNamePattern = /^[a-z][a-z0-9-]{0,62}$/;

/** @returns undefined when the job is none of a scheduled agent. */
export const scheduleOfJob = (job: string): string | undefined => (job.startsWith(scheduleIds.agentJob('')) ? job.slice(scheduleIds.agentJob('').length) : undefined);

/** What the ids are made of that a call of another agent opens: its session, and the turn in it. A repetition finds the same. */
export const errandParts = (tenantId: string, sessionId: string, turnId: string, step: number, callId: string): readonly string[] => ['errand', tenantId, sessionId, turnId, String(step), callId];

/** @returns undefined when the workflow is no session's. */
export const sessionOfWorkflow = (workflowId: string): string | undefined => /^[^/]+\/sessions\/[^_]+_(.+)$/.exec(workflowId)?.[1];

/** @returns undefined when the workflow is no operation. */
export const operationOfWorkflow = (workflowId: string): string | undefined => /^[^/]+\/operations\/(.+)$/.exec(workflowId)?.[1];

/** Everything of a tenant in Temporal has an id that begins with the tenant's: workflows, schedules. Undefined for the platform's own. */
export const tenantOfWork = (id: string): string | undefined => {
  const [tenantId = '', ...rest] = id.split('/');
  return rest.length > 0 && tenantId !== platformOwner && tenantIdPattern.test(tenantId) ? tenantId : undefined;
};

/**
 * Whose key what a workflow's history holds is encrypted under. A session's is its tenant's: it goes with the tenant. All else
 * begins before that key exists, or must be readable after it is gone: the platform's. See docs/decisions/0032-encrypted-histories.md.
 *
 * @param workflowId - empty when it is not known.
 */
export function historyKeyOf(workflowId: string): { readonly holder: 'tenant' | 'platform'; readonly tenantId: string } {
  const tenantId = tenantOfWork(workflowId);
  if (tenantId === undefined) return { holder: 'platform', tenantId: platformOwner };
  return { holder: sessionOfWorkflow(workflowId) === undefined ? 'platform' : 'tenant', tenantId };
}

/** The id a schedule was given for its runs: Temporal appends the time of each. */
export const unscheduledId = (workflowId: string): string => workflowId.replace(/-\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/, '');

/** The time that Temporal appended to a run's id, if it did. */
export const plannedTime = (workflowId: string): string | undefined => (workflowId === unscheduledId(workflowId) ? undefined : workflowId.slice(unscheduledId(workflowId).length + 1));

/**
 * Metadata of an encrypted payload. One of version 1 names in them what it takes to decrypt it, beside the key; one without a version
 * says it in its first bytes, as a session's does, of which a turn leaves a dozen.
 */
export const encryptedPayload = {
  encoding: 'binary/encrypted',
  version: '1',
  fields: { encoding: 'encoding', version: 'encryption-version', keyName: 'encryption-key-id', tenantId: 'tenant', workflowId: 'workflow-id' },
} as const;

/** Metadata of the payload that holds a failure's message and stack trace: the codec tells it from results and arguments by it. */
export const failureTextField = 'failure-text';

export const operationIds = {
  of: (kind: OperationKind, tenantId: string, unique: string) => `${kind}_${tenantId}_${unique}`,
} as const;

/** @throws TypeError when the id was not checked against {@link operationIdPattern} first. */
export function tenantOfOperation(operationId: string): string {
  const tenantId = operationId.split('_')[1];
  if (!tenantId) throw new TypeError(`Not an operation id: ${operationId}`);
  return tenantId;
}

/**
 * What is done to a tenant as an operation, and its steps in order. A kind is also the name of its workflow, and part of the
 * operation's id (no underscore); the API and the Temporal UI show the steps, and running workflows know them by these names.
 */
export const operationSteps = {
  onboarding: [
    'reserve',
    'infrastructure',
    'memory',
    'runtime',
    'identity',
    'gateway',
    'config',
    'administrator',
    'schedules',
    'scaling',
    'worker',
    'smoke_turn',
    'activate',
  ],
  offboarding: [
    'block',
    'delete_schedules',
    'drain',
    'backup',
    'verify_backup',
    'rehearse_restore',
    'grace_period',
    'take_inventory',
    'end_work',
    'delete_scaling',
    'delete_gateway',
    'delete_identity',
    'delete_runtime',
    'delete_memory',
    'delete_config',
    'empty_bucket',
    'delete_infrastructure',
    'schedule_key_deletion',
    'check_remains',
    'tombstone',
    'certificate',
  ],
  suspension: ['claim', 'suspend', 'pause_schedules', 'pause_sessions', 'release'],
  resumption: ['claim', 'reinstate', 'resume_sessions', 'resume_schedules', 'release'],
  backup: ['claim', 'backup', 'verify_backup', 'release'],
  backupVerification: ['find_backup', 'verify_backup'],
  restore: [
    'admit',
    'backup',
    'infrastructure',
    'memory',
    'runtime',
    'identity',
    'gateway',
    'forget_sessions',
    'restore_users',
    'restore_data',
    'compare',
    'schedules',
    'scaling',
    'worker',
    'smoke_turn',
    'activate',
    'release',
  ],
  rehearsal: [
    'reserve',
    'infrastructure',
    'memory',
    'restore_users',
    'restore_data',
    'compare',
    'delete_memory',
    'delete_config',
    'empty_bucket',
    'delete_infrastructure',
    'schedule_key_deletion',
    'check_remains',
    'give_back',
  ],
  tierChange: ['claim', 'change_tier', 'take_effect', 'release'],
  configurationChange: ['claim', 'change_config', 'take_effect', 'release'],
  /** Nothing of it can be taken back once the tenant is claimed. */
  erasure: ['claim', 'list_erasure', 'end_sessions', 'hide_sessions', 'erase_table', 'erase_objects', 'erase_facts', 'erase_live', 'erase_histories', 'sign_erasure', 'release'],
  keyRotation: ['claim', 'rotate_key', 'renew_data_keys', 'take_effect', 'check_key', 'release'],
  clientRotation: ['claim', 'create_client', 'accept_client', 'overlap', 'retire_client', 'delete_client', 'release'],
} as const satisfies Record<string, readonly string[]>;
export type OperationKind = keyof typeof operationSteps;
export type StepName<Kind extends OperationKind = OperationKind> = (typeof operationSteps)[Kind][number];
export const operationKinds = Object.keys(operationSteps) as [OperationKind, ...OperationKind[]];

export const operationStates = ['running', 'completed', 'undoing', 'undone', 'cancelled'] as const;
export type OperationState = (typeof operationStates)[number];

export const operationIdPattern = new RegExp(`^(${operationKinds.join('|')})_[a-z][a-z0-9-]{2,31}_[0-9a-z]{26}$`);

/** The one backup an offboarding takes: repeating the operation finds the same. */
export const backupIds = { ofOperation: (operationId: string) => `bak-${operationId.split('_')[2] ?? operationId}` } as const;

/** As {@link backupIds} makes them. */
export const backupIdPattern = /^bak-[0-9a-z]{1,64}$/;

/** Keywords by which workflows are found, in the Temporal UI too. */
export const searchAttributes = { tenantId: 'TenantId', operationState: 'OperationState' } as const;

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

/** The user of one probe, in the pool of the tenant that tries. Nobody has mail there. @param unique - of the run. */
export const probeUserEmail = (unique: string): string => `isolation-probe-${unique}@tenure.invalid`;

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

/** Keys of {@link platformResources.accessTable}: the partition is a tenant's id, or {@link platformOwner}. */
export const accessKeys = {
  /** What holds for everybody of the owner's pool. */
  everybody: () => 'EVERYBODY',
  user: (userId: string) => `USER#${userId}`,
  apiKey: (keyId: string) => `KEY#${keyId}`,
  machineClient: (clientId: string) => `CLIENT#${clientId}`,
} as const;

/** How an API key is written. Scanners for secrets know it by the prefix: changing it makes leaked keys invisible. */
export const apiKeyText = { prefix: 'tenure_key_', idLength: 16, pattern: /^tenure_key_([0-9a-hjkmnp-tv-z]{16})_([0-9a-f]{64})([0-9a-f]{8})$/ } as const;

/** Whom an API key acts as, where a user stands otherwise: sessions, usage, memory. Cognito's ids never begin like this. */
export const apiKeyUser = (keyId: string): string => `key-${keyId}`;

/** Whom a machine client acts as, where a user stands otherwise. */
export const machineClientUser = (clientId: string): string => `client-${clientId}`;

/** Whether it is a program, and no person. */
export const isProgram = (userId: string): boolean => userId.startsWith(apiKeyUser('')) || userId.startsWith(machineClientUser(''));

export const machineClientIdLength = 16;

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

/** Keys of the tenant's table `tenant-{id}-data`. Sequence numbers are padded so that they sort. */
export const tableKeys = {
  session: (sessionId: string) => `SESSION#${sessionId}`,
  record: () => 'RECORD',
  /** Lists of sessions: the tenant's, and each user's own; sorted by time. */
  sessions: () => 'SESSIONS',
  sessionsOf: (userId: string) => `SESSIONS#${userId}`,
  listed: (createdAt: string, sessionId: string) => `${createdAt}#${sessionId}`,
  events: (sessionId: string) => `EVENTS#${sessionId}`,
  batch: (firstSeq: number) => String(firstSeq).padStart(12, '0'),
  messages: (sessionId: string) => `MESSAGES#${sessionId}`,
  /** What was uploaded to a session, by its id; the bytes are in the bucket. */
  attachments: (sessionId: string) => `ATTACHMENTS#${sessionId}`,
  /** Calls of a session that change something: that they have begun, and where their result is. */
  calls: (sessionId: string) => `CALLS#${sessionId}`,
  /** @param undoId - of taking it back, once for each time that is asked for. */
  call: (turnId: string, step: number, callId: string, undoId?: string) => `${turnId}#${step}#${callId}${undoId === undefined ? '' : `#${undoId}`}`,
  /** Where the tenant's agents get tools from. */
  toolSources: () => 'TOOL-SOURCES',
  /** Approvals of a session by their ids; and of the whole tenant those that wait and those that were decided, by time. */
  approvals: (sessionId: string) => `APPROVALS#${sessionId}`,
  approvalList: (list: 'waiting' | 'decided') => `APPROVAL-LIST#${list}`,
  /** What its agent asked a session's user, by ids. */
  questions: (sessionId: string) => `QUESTIONS#${sessionId}`,
  /** Agents of the tenant by their names; and of each its versions, padded so that they sort, and which of them a request published. */
  agents: () => 'AGENTS',
  agentVersions: (name: string) => `AGENT#${name}`,
  agentVersion: (version: number) => `V#${String(version).padStart(6, '0')}`,
  agentRequest: (requestId: string) => `REQUEST#${requestId}`,
  /** Prompts that agents are given by the clock, by their names; and of each its runs, by time. */
  agentSchedules: () => 'AGENT-SCHEDULES',
  scheduledRuns: (schedule: string) => `SCHEDULED-RUNS#${schedule}`,
  /** What was used, one item for each period, user and model: hours in one partition, days in another. */
  usage: (period: UsagePeriod) => `USAGE#${period}`,
  /** @param period - `2026-11-24T13` of an hour, `2026-11-24` of a day. */
  usageOf: (period: string, userId: string, modelId: string, agent?: string) => `${period}#${userId}#${modelId}${agent === undefined ? '' : `#${agent}`}`,
  /** What counts against a budget; steps for which something is reserved; sessions that wait for more. */
  budget: (counter: string) => `BUDGET#${counter}`,
  budgetCounter: () => 'COUNTER',
  reservations: (sessionId: string) => `BUDGET-RESERVED#${sessionId}`,
  reservation: (turnId: string, step: number, purpose?: string) => `${turnId}/${step}${purpose === undefined ? '' : `/${purpose}`}`,
  reservationsOf: (turnId: string) => `${turnId}/`,
  outOfBudget: () => 'BUDGET-PAUSED',
  /** How far the roll-up has come: since when it looks for new sessions, which are open, and in each how much it has counted. */
  rollUp: () => 'USAGE',
  openSessions: () => 'USAGE#OPEN',
  counted: () => 'USAGE',
} as const;

/** What a budget's counter is of. @param at - an ISO time in UTC. */
export const budgetCounters = {
  session: (sessionId: string) => `SESSION#${sessionId}`,
  userDay: (userId: string, at: string) => `USER-DAY#${at.slice(0, '2026-11-24'.length)}#${userId}`,
  tenantDay: (at: string) => `DAY#${at.slice(0, '2026-11-24'.length)}`,
  tenantMonth: (at: string) => `MONTH#${at.slice(0, '2026-11'.length)}`,
} as const;

export const usagePeriods = ['hour', 'day'] as const;
export type UsagePeriod = (typeof usagePeriods)[number];

/** The chain of the audit log that tells of a tenant; scratch tenants are the platform's affair. @param tenantId - undefined for what is of no tenant. */
export const auditChainOf = (tenantId: string | undefined): string => (tenantId === undefined || isScratchTenant(tenantId) ? platformOwner : tenantId);

/** Sort keys of the audit table, whose partitions are chains. */
export const auditKeys = {
  /** A batch of entries, by the number of its first. */
  batch: (firstSeq: number) => `E#${String(firstSeq).padStart(12, '0')}`,
  /** The signed head of the chain when it had this many entries. */
  checkpoint: (seq: number) => `C#${String(seq).padStart(12, '0')}`,
  /** That something was recorded under this key: a retry finds it. */
  once: (key: string) => `K#${key}`,
} as const;

/** Keys of what workflows record: each once, however often it is tried. */
export const auditOnce = {
  operationEnded: (operationId: string) => `${operationId}/ended`,
  findings: (job: string, startedAt: string, tenantId: string | undefined) => `${job}/${startedAt}/${tenantId ?? platformOwner}`,
  run: (job: string, runId: string) => `${job}/${runId}`,
} as const;

/** What was written once must be found again by a retry: the key of each batch of the session's log. */
export const batchKeys = {
  turnsQueued: (firstTurnId: string) => `${firstTurnId}/queued`,
  stepStarted: (turnId: string, step: number) => `${turnId}/${step}/started`,
  stepReset: (turnId: string, step: number, attempt: number) => `${turnId}/${step}/reset/${attempt}`,
  stepCompleted: (turnId: string, step: number) => `${turnId}/${step}/completed`,
  stepPaused: (turnId: string, step: number) => `${turnId}/${step}/paused`,
  stepPausedAgain: (turnId: string, step: number, after: number) => `${turnId}/${step}/paused/${after}`,
  /** After the history was compacted in the middle of the step. */
  stepRestarted: (turnId: string, step: number) => `${turnId}/${step}/restarted`,
  historyCompacted: (turnId: string, step: number, upTo: number) => `${turnId}/${step}/compacted/${upTo}`,
  stepWasted: (turnId: string, step: number, attempt: string) => `${turnId}/${step}/wasted/${attempt}`,
  stepStopped: (turnId: string, step: number) => `${turnId}/${step}/stopped`,
  /** The turn's beginning, with what is remembered of its user. */
  factsRecalled: (turnId: string) => `${turnId}/recalled`,
  /** Written behind a turn, maybe in the middle of the next: they are no part of either. */
  factsExtracted: (turnId: string) => `session/facts/${turnId}/extracted`,
  factsSkipped: (turnId: string) => `session/facts/${turnId}/skipped`,
  factsWasted: (turnId: string, attempt: string) => `session/facts/${turnId}/wasted/${attempt}`,
  toolStarted: (turnId: string, step: number, callId: string) => `${turnId}/${step}/${callId}/started`,
  toolCompleted: (turnId: string, step: number, callId: string) => `${turnId}/${step}/${callId}/completed`,
  approvalDecided: (turnId: string, step: number, callId: string, decisionId: string) => `${turnId}/${step}/${callId}/decision/${decisionId}`,
  questionAsked: (turnId: string, step: number, callId: string) => `${turnId}/${step}/${callId}/asked`,
  approvalNotified: (turnId: string, step: number, callId: string, approvalId: string) => `${turnId}/${step}/${callId}/notified/${approvalId}`,
  turnCompleted: (turnId: string) => `${turnId}/completed`,
  /** Behind a turn: what was taken back of it. All of these keys begin with the first. */
  undo: (turnId: string) => `session/undo/${turnId}/`,
  callUndone: (turnId: string, step: number, callId: string) => `session/undo/${turnId}/${step}/${callId}/undone`,
  undoFailed: (turnId: string, step: number, callId: string, undoId: string) => `session/undo/${turnId}/${step}/${callId}/failed/${undoId}`,
  undoCompleted: (turnId: string, undoId: string) => `session/undo/${turnId}/completed/${undoId}`,
  sessionForked: () => 'session/forked',
  sessionClosed: () => 'session/closed',
  /** What an offboarding wrote behind a log that had no end. */
  cutOff: (after: number) => `session/cut-off/${after}`,
} as const;

/** Where the summary of a batch with this key reaches to; undefined when it holds none. */
export function compactedUpTo(batchKey: string): number | undefined {
  const upTo = /^[^/]+\/\d+\/compacted\/(\d+)$/.exec(batchKey)?.[1];
  return upTo === undefined ? undefined : Number(upTo);
}

/** In the tenant's bucket what is large of its sessions: texts of events, and what was uploaded. All else in the platform's. */
export const objectKeys = {
  batches: 'sessions/',
  batchesOf: (sessionId: string) => `sessions/${sessionId}/`,
  batch: (sessionId: string, batchKey: string, unique: string) => `sessions/${sessionId}/${batchKey}/${unique}`,
  attachment: (sessionId: string, attachmentId: string) => `sessions/${sessionId}/attachments/${attachmentId}`,
  backup: (tenantId: string, backupId: string, part: string) => `${tenantId}/${backupId}/${part}`,
  /** All backups of a tenant, each a folder. */
  backupsOf: (tenantId: string) => `${tenantId}/`,
  reports: (job: string) => `reports/${job}/`,
  report: (job: string, startedAt: string) => `reports/${job}/${startedAt}.json`,
  /** The last thing a tenant's probe has found. */
  probe: (tenantId: string) => `reports/isolation_probe_of/${tenantId}.json`,
  /** What proves that a tenant is gone; no tenant has an id of this name. */
  certificates: (tenantId: string) => `certificates/${tenantId}/`,
  /** What was erased of a tenant's people: the list that restores go by, and the proof. */
  erasures: (tenantId: string) => `erasures/${tenantId}/`,
  erasure: (tenantId: string, operationId: string, part: string) => `erasures/${tenantId}/${operationId}/${part}`,
  certificate: (tenantId: string, operationId: string, part: string) => `certificates/${tenantId}/${operationId}/${part}`,
} as const;

/** Whose attachment an object of a tenant's bucket is; undefined when it is none. No turn's id is `attachments`, so that no batch has such a key. */
export function attachmentOfObject(key: string): { readonly sessionId: string; readonly attachmentId: string } | undefined {
  const [, sessionId, attachmentId] = /^sessions\/([^/]+)\/attachments\/([^/]+)$/.exec(key) ?? [];
  return sessionId === undefined || attachmentId === undefined ? undefined : { sessionId, attachmentId };
}

/** Buckets of request rates that are not a tenant's. A slash: no tenant has one in its id. */
export const rateBuckets = {
  codec: (userId: string) => `codec/${userId}`,
  signIn: (emailDigest: string, address: string) => `sign-in/${emailDigest}/${address}`,
  /** Of strangers: what needs no token. */
  address: (address: string) => `address/${address}`,
  /** Of credentials that were refused. No tenant's key: anybody can name a tenant that is not there. */
  failuresFrom: (address: string) => `failures/from/${address}`,
  failuresAt: (tenantId: string) => `failures/at/${tenantId}`,
} as const;

/** Holds an operator's access token, for pages that read histories. */
export const operatorCookie = 'tenure-operator';

/** A tenant in braces keeps its keys on one shard of a Valkey cluster. */
export const valkeyKeys = {
  live: (tenantId: string, sessionId: string) => `{${tenantId}}/live/${sessionId}`,
  /** A message between the process that took it and the one that reads it. After a restore, messages of the same id are others. */
  message: (tenantId: string, { sessionId, turnId, restoredAt = '' }: { sessionId: string; turnId: string; restoredAt: string | undefined }) => `{${tenantId}}/messages/${sessionId}/${turnId}/${restoredAt}`,
  rate: (bucket: string) => `{${bucket}}/rate`,
  /** In the bucket's shard: both are taken from at once. */
  share: (bucket: string, userId: string) => `{${bucket}}/rate/${userId}`,
  /** What is in use of a thing of which there is only so much: who holds a place, until when. */
  places: (tenantId: string, thing: string) => `{${tenantId}}/places/${thing}`,
  placesOf: (tenantId: string, thing: string, userId: string) => `{${tenantId}}/places/${thing}/${userId}`,
  /** The worker processes there are. No tenant's. */
  workers: 'workers',
  /** Matches every key of the tenant. */
  all: (tenantId: string) => `{${tenantId}}/*`,
} as const;

/** The session whose words a key holds. */
export const sessionOfKey = (valkeyKey: string): string | undefined => /^\{[^}]+\}\/(?:live|messages)\/([^/]+)/.exec(valkeyKey)?.[1];

export const tenantOfKey = (valkeyKey: string): string | undefined => {
  const tenantId = /^\{([^}]+)\}\//.exec(valkeyKey)?.[1];
  return tenantId !== undefined && tenantIdPattern.test(tenantId) ? tenantId : undefined;
};

/** Where AgentCore Memory keeps what it knows about one user. */
export const memoryNamespaces = { facts: (userId: string) => `/users/${userId}/facts` } as const;

/** All of what AgentCore Memory keeps of one user. */
export const namespaceOfUser = (userId: string): string => `/users/${userId}/`;

/** Whose facts a namespace holds; undefined when it holds something else. */
export const userOfFacts = (namespace: string): string | undefined => /^\/users\/([^/]+)\/facts$/.exec(namespace)?.[1];

/** Ids of facts, as AgentCore gives them out. */
export const factIdPattern = /^mem-[A-Za-z0-9_-]{36,46}$/;

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
