import { z } from 'zod';
import { operationKinds, type OperationKind } from './names';
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

export const operationStates = ['running', 'completed', 'undoing', 'undone', 'cancelled'] as const;
export type OperationState = (typeof operationStates)[number];

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

export interface OffboardingRequest {
  readonly tenantId: string;
  /** Seconds between the verified backup and deletion, in which the operation can be cancelled. */
  readonly graceSeconds: number;
  /** Seconds running turns may take to finish before they are cancelled. */
  readonly drainSeconds: number;
}

/** What each kind of operation is asked. */
export interface OperationRequests extends Record<OperationKind, { readonly tenantId: string }> {
  readonly onboarding: OnboardingRequest;
  readonly offboarding: OffboardingRequest;
}

/** What an operation's workflow is started with. */
export interface OperationInput<Kind extends OperationKind> {
  readonly operationId: string;
  readonly request: OperationRequests[Kind];
}
