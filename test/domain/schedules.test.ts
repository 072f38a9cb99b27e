import { type ScheduleSettings, ScheduleSettings as Settings } from '../../src/contracts/schedule';
import { readCron } from '../../src/domain/cron';
import { checkedSettings, hasEnded, mustHaveRoomFor, onceAt, ownerRefusal, wordsOf } from '../../src/domain/schedules';

const nowMs = Date.parse('2026-11-28T12:00:00Z');
const tier = { scheduleSecondsApart: 300 };
const settings = (times: object, more: object = {}): ScheduleSettings => Settings.parse({ times, ...more });
const save = (times: object, more: object = {}) => checkedSettings(settings(times, more), tier, nowMs);

describe('a cron expression', () => {
  it.each([
    ['*/5 * * * *', 300],
    ['*/7 * * * *', 240],
    ['0,58 * * * *', 120],
    ['5/20 * * * *', 1_200],
    ['30 7 * * 1-5', 86_400],
    ['30 7 * * MON-FRI', 86_400],
    ['0 9-17/4 1,15 jan-jun 0,7', 14_400],
    ['0 0,23 * * *', 3_600],
    ['59 23 29 2 *', 86_400],
  ])('%s has runs %d seconds apart at least', (text, secondsApart) => {
    expect(readCron(text)).toEqual({ secondsApart });
  });

  it.each([
    ['* * * *', /4 fields: write five/],
    ['0 0 7 * * *', /6 fields/],
    ['60 * * * *', /"60" is no minute: it goes from 0 to 59/],
    ['0 22-6 * * *', /"22-6" goes backwards: write two ranges, 22-23,0-6/],
    ['*/0 * * * *', /"\*\/0" has no step: it is 1 or more/],
    ['0 24 * * *', /no hour/],
    ['0 0 0 * *', /no day of month/],
    ['0 0 * 13 *', /no month/],
    ['0 0 * * 8', /no day of week/],
    ['0 0 * foo *', /no month/],
    ['9-5 * * * *', /"9-5" goes backwards: write two ranges, 9-59,0-5/],
    ['0,,1 * * * *', /"" is no minute/],
    ['@daily x x x x', /no minute/],
    ['0 0 31 2,4 *', /No month that it names has such a day/],
  ])('%s is none', (text, why) => {
    expect(readCron(text)).toMatch(why);
  });
});

describe('what is saved', () => {
  it('is taken as it was said, with a time zone as it is known', () => {
    expect(save({ cron: '30 7 * * 1-5', timeZone: 'europe/berlin' })).toEqual({ times: { cron: '30 7 * * 1-5', timeZone: 'Europe/Berlin' }, overlap: 'skip', catchUpSeconds: 600, jitterSeconds: 10 });
    expect(save({ everySeconds: 300 }).times).toEqual({ everySeconds: 300 });
    expect(save({ cron: '0 0 * * *', timeZone: 'Asia/Kolkata' }).times).toMatchObject({ timeZone: 'Asia/Kolkata' });
  });

  it.each([
    ['a time zone there is none of', { cron: '0 0 * * *', timeZone: 'Europe/Nowhere' }, {}, 'schedule/invalid', /time zone Europe\/Nowhere/],
    ['a time that is past', { at: '2026-11-28T11:59:59Z' }, {}, 'schedule/invalid', /2026-11-28T11:59:59.000Z is past/],
    ['a time after all that can be planned', { at: '2101-01-01T00:00:00Z' }, {}, 'schedule/invalid', /2101-01-01T00:00:00.000Z is later than anything can be planned: .* the end of 2100/],
    ['a time that is past where it is said', { at: '2026-11-28T12:30:00', timeZone: 'Europe/Berlin' }, {}, 'schedule/invalid', /past/],
    ['runs too close', { everySeconds: 299 }, {}, 'schedule/too-often', /299 seconds apart: the tier allows one in 300/],
    ['a cron too close', { cron: '*/4 * * * *' }, {}, 'schedule/too-often', /240/],
    ['more jitter than time', { everySeconds: 600 }, { jitterSeconds: 600 }, 'schedule/invalid', /cannot begin 600 seconds late/],
  ])('is refused with %s', (_what, times, more, code, message) => {
    expect(() => save(times, more)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) as unknown }) as Error);
  });
});

describe('a schedule that runs once', () => {
  const once = (at: string, timeZone = 'UTC') => onceAt({ at, timeZone });

  it.each([
    ['2026-12-24T18:00:00', 'Europe/Berlin', '2026-12-24T17:00:00Z'],
    ['2026-07-24T18:00:00', 'Europe/Berlin', '2026-07-24T16:00:00Z'],
    ['2026-07-24T18:00:00', 'America/New_York', '2026-07-24T22:00:00Z'],
    ['2026-07-24T18:00:00', 'Asia/Kolkata', '2026-07-24T12:30:00Z'],
    // The clocks went back in the night; an hour later they show the new time.
    ['2026-10-25T03:30:00', 'Europe/Berlin', '2026-10-25T02:30:00Z'],
    ['2026-03-29T01:30:00', 'Europe/Berlin', '2026-03-29T00:30:00Z'],
    ['2026-12-24T18:00:00+05:00', 'Europe/Berlin', '2026-12-24T13:00:00Z'],
    // Temporal plans whole seconds, and none that is past.
    ['2026-12-24T18:00:00.250', 'Europe/Berlin', '2026-12-24T17:00:01Z'],
    ['2026-12-24T18:00:00.250Z', 'Europe/Berlin', '2026-12-24T18:00:01Z'],
  ])('at %s in %s does at %s', (at, timeZone, expected) => {
    expect(once(at, timeZone)).toBe(Date.parse(expected));
  });

  it('has ended when nothing could make up for it any more; others never end', () => {
    const one = settings({ at: '2026-11-28T12:00:00Z' }, { catchUpSeconds: 60, jitterSeconds: 10 });
    expect([hasEnded(one, nowMs), hasEnded(one, nowMs + 70_000), hasEnded(one, nowMs + 70_001)]).toEqual([false, false, true]);
    expect(hasEnded(settings({ everySeconds: 600 }), nowMs + 1e12)).toBe(false);
  });
});

it('says in words when it runs', () => {
  const words = (times: object) => wordsOf(settings(times).times);
  expect([words({ cron: '0 0 * * *' }), words({ everySeconds: 600 }), words({ at: '2026-12-24T18:00:00', timeZone: 'Europe/Berlin' })]).toEqual(['0 0 * * * (UTC)', 'every 600 seconds', 'once, 2026-12-24T17:00:00.000Z']);
});

it('has room for so many of a tenant, and for so many of one user', () => {
  const limits = { schedules: 4, userShare: 0.5 };
  const of = (...userIds: string[]) => userIds.map((userId) => ({ userId }));
  expect(() => mustHaveRoomFor(of('ann', 'bob'), 'ann', limits)).not.toThrow();
  expect(() => mustHaveRoomFor(of('ann', 'ann'), 'ann', limits)).toThrow(/One user may have 2 schedules/);
  expect(() => mustHaveRoomFor(of('ann', 'ann', 'bob', 'cyd'), 'dan', limits)).toThrow(/This tenant may have 4 schedules/);
});

describe('who made it', () => {
  const user = { enabled: true, groups: ['members'] };
  it.each([
    ['speaks on', { user, standing: { notBefore: '2026-11-28T00:00:00Z' } }, undefined],
    ['was removed', { user: undefined, standing: {} }, /removed/],
    ['is disabled', { user: { ...user, enabled: false }, standing: {} }, /disabled/],
    ['was disabled just now', { user, standing: { disabled: true } }, /disabled/],
    ['has no such role any more', { user: { ...user, groups: ['auditors'] }, standing: {} }, /roles/],
  ])('%s', (_what, owner, refusal) => {
    const said = ownerRefusal(owner);
    if (refusal) expect(said).toMatch(refusal);
    else expect(said).toBeUndefined();
  });
});
