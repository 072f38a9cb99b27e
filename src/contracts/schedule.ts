import { z } from 'zod';
import { AgentPin } from './agent';
import { AgentReference } from './agent-reference';
import { scheduleNamePattern } from './names';
import { maxMessageCharacters, SessionId, turnOutcomes } from './session';
import { writtenText } from './written-text';

/** Within a tenant; also what its runs are found by. */
export const ScheduleName = z.string().regex(scheduleNamePattern, 'a schedule is named by 1-63 small letters, digits and hyphens, and begins with a letter');

const TimeZone = z.string().regex(/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/, 'a time zone is named as Europe/Berlin');
const daySeconds = 86_400;

/** When a schedule runs. */
export const ScheduleTimes = z.union([
  /** Five fields: minute, hour, day of month, month, day of week; all of them must fit. */
  z.strictObject({ cron: writtenText({ min: 1, max: 200 }), timeZone: TimeZone.default('UTC') }),
  z.strictObject({ everySeconds: z.number().int().min(60).max(366 * daySeconds) }),
  /** Once: with an offset, or as clocks show it in the time zone. */
  z.strictObject({ at: z.iso.datetime({ local: true, offset: true }), timeZone: TimeZone.default('UTC') }),
]);
export type ScheduleTimes = z.infer<typeof ScheduleTimes>;

/** What of a schedule its owner says. */
export const ScheduleSettings = z.strictObject({
  times: ScheduleTimes,
  /** Such as `support@3`. Absent: the tenant's own agent. */
  agent: AgentReference.optional(),
  /** The session that every run goes on in, opened by the first. Absent: each run has one of its own, closed at its end. */
  sessionId: SessionId.optional(),
  /** What becomes of a run whose time comes while the one before it is under way: it is left out, or one waits for its end. */
  overlap: z.enum(['skip', 'queue']).default('skip'),
  /** A run that was missed while Temporal was away is made up for when it is no older than this. */
  catchUpSeconds: z.number().int().min(10).max(daySeconds).default(600),
  /** A run begins at random within this time after its own, so that not all begin at once. */
  jitterSeconds: z.number().int().min(0).max(3_600).default(10),
});
export type ScheduleSettings = z.infer<typeof ScheduleSettings>;

export const Prompt = writtenText({ max: maxMessageCharacters });

/** A prompt that an agent is given by the clock, without the prompt. */
export const AgentSchedule = ScheduleSettings.extend({
  name: ScheduleName,
  /** Cognito `sub` of who made it: its runs speak for this user. */
  userId: z.string(),
  /** Who made it rest, and why; Temporal may have it rest without, while the tenant is suspended. */
  paused: z.object({ by: z.string(), at: z.iso.datetime(), reason: z.string() }).optional(),
  /** Of the request that made it: a repetition finds it. */
  requestId: z.string(),
  /** Of that request, when it had a key: another one under it is refused. */
  requestDigest: z.string().optional(),
  /** Goes up with each change. */
  revision: z.number().int().min(1),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
}).strip();
export type AgentSchedule = z.infer<typeof AgentSchedule>;

/** How a run ended: as its turn did; or it was refused before it had one; or its turn is gone, as the tenant was restored meanwhile. */
export const scheduledRunOutcomes = ['running', ...turnOutcomes, 'refused', 'lost'] as const;
export type ScheduledRunOutcome = (typeof scheduledRunOutcomes)[number];

export const ScheduledRun = z.object({
  runId: z.string(),
  schedule: z.string(),
  /** When its time was; absent when it was started by hand. */
  plannedAt: z.iso.datetime().optional(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().optional(),
  outcome: z.enum(scheduledRunOutcomes),
  /** Why, when it was refused or failed. */
  code: z.string().optional(),
  message: z.string().optional(),
  sessionId: z.string().optional(),
  turnId: z.string().optional(),
  agent: AgentPin.optional(),
});
export type ScheduledRun = z.infer<typeof ScheduledRun>;

/** What a run's workflow is started with: names only. */
export interface ScheduledRunInput {
  readonly tenantId: string;
  readonly schedule: string;
  /** Of a run that a person wanted. */
  readonly byHand?: { readonly runId: string };
}
