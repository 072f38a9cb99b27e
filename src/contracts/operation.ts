import { z } from 'zod';
import { type BackupReason, ContentComparison } from './backup';
import { ErasureSubject } from './erasure';
import { operationKinds, type OperationKind, operationStates } from './names';
import { type Administrator, type AgentConfig, AnyTenantId, type RequestRate, type Tier } from './tenant';

export const stepStates = ['pending', 'running', 'stuck', 'completed', 'failed', 'undoing', 'undone', 'undo_failed', 'skipped'] as const;
export type StepState = (typeof stepStates)[number];

export const OperationStep = z.object({
  name: z.string(),
  /** `stuck` (going forward) and `undo_failed` (going back): it rests, and waits for an hour or for `retry`. */
  state: z.enum(stepStates),
  /** Attempts so far, of the step or of its undo. */
  attempt: z.number().int().min(1).optional(),
  /** Of the step, or of its undo once that has begun. */
  startedAt: z.iso.datetime().optional(),
  finishedAt: z.iso.datetime().optional(),
  durationMs: z.number().int().min(0).optional(),
  /** What is wrong with it now: of the latest attempt. */
  error: z.string().optional(),
});
export type OperationStep = z.infer<typeof OperationStep>;

/** How the sessions of a tenant ended when it left. */
export const DrainedSessions = z.object({
  /** All of the tenant's, those that were closed before included. */
  closed: z.number().int().min(0),
  /** Those whose turn did not end in time, and was cut off; their log says so. */
  cutOff: z.number().int().min(0),
});
export type DrainedSessions = z.infer<typeof DrainedSessions>;

/** An operation as the API and the Temporal UI show it. */
export const Operation = z.object({
  operationId: z.string(),
  kind: z.enum(operationKinds),
  tenantId: AnyTenantId,
  state: z.enum(operationStates),
  /** Whether a step rests after many failures: somebody must look. */
  stuck: z.boolean(),
  steps: z.array(OperationStep),
  percent: z.number().int().min(0).max(100),
  /** When it will probably be done, by how long such operations took lately. */
  estimatedFinishAt: z.iso.datetime().optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  /** The backup it took. */
  backupId: z.string().optional(),
  /** What became of the tenant's sessions when it left. */
  sessions: DrainedSessions.optional(),
  /** Of an erasure: of whom, and who asked for it. It cannot be taken back. */
  erasure: z.object({ subject: ErasureSubject, requestedBy: z.string() }).optional(),
  /** In the grace period: until when it can be cancelled. */
  cancellableUntil: z.iso.datetime().optional(),
  /** What the backup holds, against what was found in the tenant it was restored into. */
  comparison: z.array(ContentComparison).optional(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().optional(),
  /** Grows with every change. */
  revision: z.number().int().min(0),
});
export type Operation = z.infer<typeof Operation>;

/** An operation in a list. */
export const OperationSummary = Operation.pick({ operationId: true, kind: true, tenantId: true, state: true, stuck: true, startedAt: true, finishedAt: true });
export type OperationSummary = z.infer<typeof OperationSummary>;

export interface OnboardingRequest {
  readonly tenantId: string;
  readonly displayName: string;
  readonly tier: Tier;
  readonly rate?: RequestRate;
  readonly administrator: Administrator;
  readonly agent: AgentConfig;
}

/** What becomes of turns that run or wait when their tenant leaves. Sessions without any are closed at once, either way. */
export const DrainPolicy = z.enum(['wait', 'stop']);
export type DrainPolicy = z.infer<typeof DrainPolicy>;

export interface Drain {
  /** `wait`: they may finish within `seconds`, and are cancelled then; `stop`: they are cancelled at once. */
  readonly policy: DrainPolicy;
  readonly seconds: number;
}

export interface OffboardingRequest {
  readonly tenantId: string;
  /** Seconds between the verified backup and deletion, in which the operation can be cancelled. */
  readonly graceSeconds: number;
  readonly drain: Drain;
  /** `skipped`: deletion does not wait for proof that the backup can be restored. The certificate says so. */
  readonly rehearsal: 'required' | 'skipped';
  /** Of closed sessions, in Temporal. Those that are kept cannot be read once the tenant's key is gone. */
  readonly histories: 'kept' | 'deleted';
  /** There is no backup to take, since the tenant's key cannot be used; why it is given up. Absent: nothing is deleted without one. */
  readonly withoutBackup?: { readonly reason: string };
  /** Cognito `sub` of the operator who asks. */
  readonly requestedBy: string;
}

/** What becomes of running turns when their tenant is suspended: they finish, or rest before their next step. */
export const SuspendTurns = z.enum(['finish', 'pause']);
export type SuspendTurns = z.infer<typeof SuspendTurns>;

export interface SuspensionRequest {
  readonly tenantId: string;
  readonly turns: SuspendTurns;
}

export interface BackupRequest {
  readonly tenantId: string;
  readonly reason: BackupReason;
}

export interface BackupVerificationRequest {
  readonly tenantId: string;
  readonly backupId: string;
}

/** A backup is restored into a new tenant, or in place of what a suspended one has. */
export interface RestoreRequest {
  /** The tenant restored into. */
  readonly tenantId: string;
  readonly sourceTenantId: string;
  readonly backupId: string;
  /** ISO: what is younger is left out. */
  readonly until?: string;
}

/** A backup is restored into a scratch tenant, compared, and the scratch tenant deleted again. */
export interface RehearsalRequest {
  /** The scratch tenant: `scratchTenantId`. */
  readonly tenantId: string;
  readonly sourceTenantId: string;
  readonly backupId: string;
}

export interface TierChangeRequest {
  readonly tenantId: string;
  readonly tier: Tier;
}

export interface ConfigurationChangeRequest {
  readonly tenantId: string;
  readonly agent: AgentConfig;
}

export interface ErasureRequest {
  readonly tenantId: string;
  readonly subject: ErasureSubject;
  /** Cognito `sub` of who asks. */
  readonly requestedBy: string;
}

export interface ClientRotationRequest {
  readonly tenantId: string;
  /** Seconds for which both clients are accepted. */
  readonly overlapSeconds: number;
}

/** What each kind of operation is asked. */
export interface OperationRequests extends Record<OperationKind, { readonly tenantId: string }> {
  readonly onboarding: OnboardingRequest;
  readonly offboarding: OffboardingRequest;
  readonly suspension: SuspensionRequest;
  readonly resumption: { readonly tenantId: string };
  readonly backup: BackupRequest;
  readonly backupVerification: BackupVerificationRequest;
  readonly restore: RestoreRequest;
  readonly rehearsal: RehearsalRequest;
  readonly tierChange: TierChangeRequest;
  readonly configurationChange: ConfigurationChangeRequest;
  readonly erasure: ErasureRequest;
  readonly keyRotation: { readonly tenantId: string };
  readonly clientRotation: ClientRotationRequest;
}

/** What an operation's workflow is started with. */
export interface OperationInput<Kind extends OperationKind> {
  readonly operationId: string;
  readonly request: OperationRequests[Kind];
}
