import { z } from 'zod';
import { Budgets } from './budget';
import { maxMessageCharacters } from './session';
import { RequestRate, Tier } from './tenant';

/** Names, and beginnings of names that end in `*`: `anthropic.*`, or `*` for all. */
const Allowed = z.array(z.string().min(1).max(256)).min(1);

/** The largest values an agent's configuration may have. */
const Limits = z.strictObject({
  maxStepsPerTurn: z.number().int().min(1).max(50),
  maxToolsPerStep: z.number().int().min(1).max(16),
  maxOutputTokens: z.number().int().min(1).max(64_000),
  historyTurns: z.number().int().min(1).max(100),
  maxTurnSeconds: z.number().int().min(5).max(86_400),
});

/** What a tenant of a tier may use. */
export const TierDefinition = z.strictObject({
  /** Unless the tenant's registry entry has a rate of its own. */
  rate: RequestRate,
  /** Part of the rate, and of all that follows by number, that one user may have: nobody takes all of a tenant's. */
  userShare: z.number().min(0.01).max(1),
  /** Streams of server-sent events that may be open at once. */
  streams: z.number().int().min(1).max(100_000),
  /** Turns that may be under way or wait at once, those of agents that others call among them. */
  turns: z.number().int().min(1).max(100_000),
  /** Open sessions in which somebody, or an agent that called another, may have spoken within the last quarter of an hour. */
  sessions: z.number().int().min(1).max(1_000_000),
  /** Of a message to the agent. */
  messageCharacters: z.number().int().min(100).max(maxMessageCharacters),
  /** Of one attachment, and how many a session may have; never more than Converse takes of its kind. They are counted when one is uploaded. */
  attachmentBytes: z.number().int().min(1_024).max(4_500_000),
  attachments: z.number().int().min(0).max(10_000),
  /** Of any other request; never more than the API takes from anybody (`MAX_BODY_BYTES`). */
  bodyBytes: z.number().int().min(1_024).max(10_485_760),
  /** Activities (model steps and tool calls) that one tenant may run at once in one worker process. */
  activitySlots: z.number().int().min(1).max(1_000),
  /** Scheduled agents there may be, and how far apart their runs must be at least. They are counted when one is saved. */
  schedules: z.number().int().min(0).max(1_000),
  scheduleSecondsApart: z.number().int().min(60).max(86_400),
  models: Allowed,
  tools: Allowed,
  limits: Limits,
  /** Of each tenant, unless an operator has set its own. */
  budgets: Budgets.optional(),
});
export type TierDefinition = z.infer<typeof TierDefinition>;
export type Tiers = Readonly<Record<string, TierDefinition>>;

/** Tiers an installation adds or changes; what one leaves out is as in the tier it changes, or as in `standard`. */
export const TierChanges = z.record(Tier, TierDefinition.partial().extend({ limits: Limits.partial().optional() }));
export type TierChanges = z.infer<typeof TierChanges>;

export const builtInTiers = {
  standard: {
    rate: { requestsPerMinute: 100, burst: 20 },
    userShare: 0.8,
    streams: 200,
    turns: 200,
    sessions: 2_000,
    messageCharacters: maxMessageCharacters,
    attachmentBytes: 4_500_000,
    attachments: 100,
    bodyBytes: 262_144,
    activitySlots: 50,
    schedules: 20,
    scheduleSecondsApart: 300,
    models: ['*'],
    tools: ['*'],
    limits: { maxStepsPerTurn: 25, maxToolsPerStep: 8, maxOutputTokens: 8_192, historyTurns: 50, maxTurnSeconds: 3_600 },
  },
  premium: {
    rate: { requestsPerMinute: 1_000, burst: 200 },
    userShare: 0.8,
    streams: 2_000,
    turns: 2_000,
    sessions: 20_000,
    messageCharacters: maxMessageCharacters,
    attachmentBytes: 4_500_000,
    attachments: 1_000,
    bodyBytes: 1_048_576,
    activitySlots: 200,
    schedules: 200,
    scheduleSecondsApart: 60,
    models: ['*'],
    tools: ['*'],
    limits: { maxStepsPerTurn: 50, maxToolsPerStep: 16, maxOutputTokens: 64_000, historyTurns: 100, maxTurnSeconds: 86_400 },
  },
} as const satisfies Tiers;
