import { platformOwner, tenantIdPattern } from './ids';
import { tenantOfOperation } from './operations';

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

/** Keywords by which workflows are found, in the Temporal UI too. */
export const searchAttributes = { tenantId: 'TenantId', operationState: 'OperationState' } as const;
