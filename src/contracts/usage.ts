import { z } from 'zod';

/** Absent when it is 0. */
const Figure = z.number().int().min(0).optional();

/**
 * What answers cost, in numbers that add up. Dollars are those of the price at the time; `unpricedCalls` are of models without one.
 * `wasted…`: attempts that broke or were stopped, about. `compaction…`, `extraction…`: how much of the rest went into summaries of long conversations, and into facts to remember.
 */
export const UsageFigures = z.object({
  inputTokens: z.number().int().min(0),
  outputTokens: z.number().int().min(0),
  /** Calls of a model that came to an answer. */
  modelCalls: z.number().int().min(0),
  cacheReadTokens: Figure,
  cacheWriteTokens: Figure,
  costMicroUsd: Figure,
  unpricedCalls: Figure,
  wastedCalls: Figure,
  wastedTokens: Figure,
  wastedMicroUsd: Figure,
  compactionCalls: Figure,
  compactionTokens: Figure,
  compactionMicroUsd: Figure,
  extractionCalls: Figure,
  extractionTokens: Figure,
  extractionMicroUsd: Figure,
});
export type UsageFigures = z.infer<typeof UsageFigures>;

/** What one user used of one model in one hour or day. */
export interface UsageCell extends UsageFigures {
  /** UTC: `2026-11-24T13` of an hour, `2026-11-24` of a day. */
  readonly period: string;
  readonly userId: string;
  readonly modelId: string;
  /** Absent: the tenant's own. */
  readonly agent?: string | undefined;
}

export const usageGroupings = ['hour', 'day', 'model', 'user', 'agent'] as const;
export type UsageGrouping = (typeof usageGroupings)[number];

/** A line of a usage report: what it is about, and the figures. */
export const UsageLine = UsageFigures.extend({
  /** UTC, the beginning of the hour or day. */
  from: z.iso.datetime().optional(),
  modelId: z.string().optional(),
  userId: z.string().optional(),
  /** By name; `default` is the tenant's own. */
  agent: z.string().optional(),
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
