import { z } from 'zod';
import type { SessionEvent } from './events';

/** What answers cost, in numbers that add up. */
export const UsageFigures = z.object({
  inputTokens: z.number().int().min(0),
  outputTokens: z.number().int().min(0),
  /** Calls of a model. */
  modelCalls: z.number().int().min(0),
});
export type UsageFigures = z.infer<typeof UsageFigures>;

/** What one user used of one model in one hour or day. */
export interface UsageCell extends UsageFigures {
  /** UTC: `2026-11-24T13` of an hour, `2026-11-24` of a day. */
  readonly period: string;
  readonly userId: string;
  readonly modelId: string;
}

export type UsageEvent = SessionEvent & { readonly type: 'usage.recorded' };

export const usageGroupings = ['hour', 'day', 'model', 'user'] as const;
export type UsageGrouping = (typeof usageGroupings)[number];

/** A line of a usage report: what it is about, and the figures. */
export const UsageLine = UsageFigures.extend({
  /** UTC, the beginning of the hour or day. */
  from: z.iso.datetime().optional(),
  modelId: z.string().optional(),
  userId: z.string().optional(),
});
export type UsageLine = z.infer<typeof UsageLine>;

export const UsageReport = z.object({
  tenantId: z.string(),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  /** When the roll-up last began: what was used after it may be missing. Absent: it has not run yet. */
  rolledUpAt: z.iso.datetime().optional(),
  data: z.array(UsageLine),
  total: UsageFigures,
});
export type UsageReport = z.infer<typeof UsageReport>;
