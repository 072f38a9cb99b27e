import { z } from 'zod';
import { type Administrator, type AgentConfig, type RequestRate, TenantId, type Tier } from './tenant';

export const stepStates = ['pending', 'running', 'completed', 'failed', 'undoing', 'undone', 'undo_failed', 'skipped'] as const;
export type StepState = (typeof stepStates)[number];

export const OperationStep = z.object({
  name: z.string(),
  state: z.enum(stepStates),
  startedAt: z.iso.datetime().optional(),
  finishedAt: z.iso.datetime().optional(),
  error: z.string().optional(),
});
export type OperationStep = z.infer<typeof OperationStep>;

export const operationStates = ['running', 'completed', 'undoing', 'undone', 'failed', 'cancelled'] as const;
export type OperationState = (typeof operationStates)[number];

/** An onboarding or offboarding as the API and the Temporal UI show it. */
export const Operation = z.object({
  operationId: z.string(),
  kind: z.enum(['onboarding', 'offboarding']),
  tenantId: TenantId,
  state: z.enum(operationStates),
  steps: z.array(OperationStep),
  percent: z.number().int().min(0).max(100),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  /** Offboarding: where the verified backup is. */
  backupId: z.string().optional(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().optional(),
});
export type Operation = z.infer<typeof Operation>;

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
