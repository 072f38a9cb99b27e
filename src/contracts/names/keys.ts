import { isScratchTenant, platformOwner } from './ids';

/** Keys of the table of who is let in no more: the partition is a tenant's id, or {@link platformOwner}. */
export const accessKeys = {
  /** What holds for everybody of the owner's pool. */
  everybody: () => 'EVERYBODY',
  user: (userId: string) => `USER#${userId}`,
  apiKey: (keyId: string) => `KEY#${keyId}`,
  machineClient: (clientId: string) => `CLIENT#${clientId}`,
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

/** Of a counter's item: one figure for each column and unit. */
export const counterAttribute = (column: string, unit: string): string => `${column}_${unit}`;

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
