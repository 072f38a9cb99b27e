import type { Standing } from '../contracts/access';
import { DomainError } from '../contracts/errors';
import type { AgentSchedule, ScheduleSettings, ScheduleTimes } from '../contracts/schedule';
import type { TierDefinition } from '../contracts/tiers';
import { readCron } from './cron';
import { pauseNote } from './maintenance';
import { permissionsOf } from './permissions';
import { shareOf } from './tiers';

const invalid = (message: string) => new DomainError('schedule/invalid', message);

/**
 * What a schedule's owner says, checked.
 * @returns the same, but for a time zone's name, which is written as it is known.
 * @throws DomainError `schedule/invalid`, `schedule/too-often`
 */
export function checkedSettings(settings: ScheduleSettings, tier: Pick<TierDefinition, 'scheduleSecondsApart'>, nowMs: number): ScheduleSettings {
  const times = 'everySeconds' in settings.times ? settings.times : { ...settings.times, timeZone: knownZone(settings.times.timeZone) };
  const apart = secondsApart(times);
  if (apart < tier.scheduleSecondsApart) throw new DomainError('schedule/too-often', `Its runs would be ${apart} seconds apart: the tier allows one in ${tier.scheduleSecondsApart} seconds.`);
  if (settings.jitterSeconds >= apart) throw invalid(`jitterSeconds: runs that are ${apart} seconds apart cannot begin ${settings.jitterSeconds} seconds late.`);
  if ('at' in times) mustBeToCome(onceAt(times), nowMs);
  return { ...settings, times };
}

/** Temporal plans no further. */
const lastYear = 2100;

function mustBeToCome(atMs: number, nowMs: number): void {
  const at = new Date(atMs);
  if (atMs <= nowMs) throw invalid(`times.at: ${at.toISOString()} is past.`);
  if (at.getUTCFullYear() > lastYear) throw invalid(`times.at: ${at.toISOString()} is later than anything can be planned: name a time up to the end of ${lastYear}.`);
}

/** Of one that runs once: endlessly. */
function secondsApart(times: ScheduleTimes): number {
  if ('at' in times) return Infinity;
  if ('everySeconds' in times) return times.everySeconds;
  const cron = readCron(times.cron);
  if (typeof cron === 'string') throw invalid(`times.cron: ${cron}`);
  return cron.secondsApart;
}

function knownZone(name: string): string {
  try {
    const known = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
    // Another name of the same zone stays as it was given; the case of letters counts where Temporal looks it up.
    return known.toLowerCase() === name.toLowerCase() ? known : name;
  } catch {
    throw invalid(`times.timeZone: there is no time zone ${name}. Name one as Europe/Berlin.`);
  }
}

/** When one that runs once does, in milliseconds since 1970: in the first whole second that is not before its time, for Temporal plans no others. */
export const onceAt = (times: Extract<ScheduleTimes, { at: string }>): number => Math.ceil(saidAt(times) / 1_000) * 1_000;

function saidAt({ at, timeZone }: Extract<ScheduleTimes, { at: string }>): number {
  if (/(Z|[+-]\d\d:\d\d)$/.test(at)) return Date.parse(at);
  const shown = Date.parse(`${at}Z`);
  // The offset of a moment nearby is that of this one, but within an hour of a change of clocks: there it is asked again.
  return shown - offsetMs(timeZone, shown - offsetMs(timeZone, shown));
}

function offsetMs(timeZone: string, atMs: number): number {
  const parts = new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'short', timeStyle: 'medium', hourCycle: 'h23' }).formatToParts(atMs);
  const of = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((part) => part.type === type)?.value);
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second')) - Math.floor(atMs / 1_000) * 1_000;
}

/** Whether it will never run again: its one time, and all that might make up for it, is past. */
export const hasEnded = ({ times, catchUpSeconds, jitterSeconds }: ScheduleSettings, nowMs: number): boolean =>
  'at' in times && onceAt(times) + (catchUpSeconds + jitterSeconds) * 1_000 < nowMs;

/**
 * Whether a user may have one more.
 * @throws DomainError `schedule/too-many`
 */
export function mustHaveRoomFor(schedules: readonly Pick<AgentSchedule, 'userId'>[], userId: string, tier: Pick<TierDefinition, 'schedules' | 'userShare'>): void {
  const share = shareOf(tier, tier.schedules);
  const own = schedules.filter((one) => one.userId === userId).length;
  if (schedules.length >= tier.schedules) throw new DomainError('schedule/too-many', `This tenant may have ${tier.schedules} schedules: delete one first.`);
  if (own >= share) throw new DomainError('schedule/too-many', `One user may have ${share} schedules: delete one first.`);
}

/** Who made a schedule, as the tenant's pool and what was decided since tell. */
export interface ScheduleOwner {
  /** Undefined: there is no such user any more. */
  readonly user: { readonly enabled: boolean; readonly groups: readonly string[] } | undefined;
  readonly standing: Standing;
}

/** Why nobody may be spoken for by a schedule any more, in words. Signing out changes nothing: what is scheduled is no sign-in. */
export function ownerRefusal({ user, standing }: ScheduleOwner): string | undefined {
  if (!user) return 'The user who made it was removed.';
  if (!user.enabled || standing.disabled === true) return 'The user who made it is disabled.';
  if (!permissionsOf('tenant', user.groups).has('invoke:agent')) return 'The roles of the user who made it do not allow to speak with agents any more.';
  return undefined;
}

/** What operators find beside a schedule that a person has paused. */
export const pausedNote = ({ paused }: Pick<AgentSchedule, 'paused'>): string | undefined => paused && pauseNote(`user ${paused.by}`, paused.reason);

/** When it runs, for people: in lists of Temporal, too. */
export function wordsOf(times: ScheduleTimes): string {
  if ('cron' in times) return `${times.cron} (${times.timeZone})`;
  return 'at' in times ? `once, ${new Date(onceAt(times)).toISOString()}` : `every ${times.everySeconds} seconds`;
}
