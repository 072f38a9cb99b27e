/** Fields of a cron expression, in order, as Temporal reads them: a time fits when every field does. */
const fields = [
  { name: 'minute', min: 0, max: 59, names: [] },
  { name: 'hour', min: 0, max: 23, names: [] },
  { name: 'day of month', min: 1, max: 31, names: [] },
  { name: 'month', min: 1, max: 12, names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'] },
  { name: 'day of week', min: 0, max: 7, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
] as const;
type Field = (typeof fields)[number];

const daysOfMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const dayMinutes = 1_440;

/** A cron expression, understood. */
export interface Cron {
  /** The least time between two runs, as if every day fitted. */
  readonly secondsApart: number;
}

/** @returns what is wrong with it, in words, when it is none, or fits no time at all. */
export function readCron(text: string): Cron | string {
  const parts = text.split(/\s+/);
  if (parts.length !== fields.length) return `It has ${parts.length} fields: write five, as in "30 7 * * 1-5" (${fields.map(({ name }) => name).join(', ')}).`;
  const read = fields.map((field, index) => valuesOf(field, parts[index] ?? ''));
  const wrong = read.find((values) => typeof values === 'string');
  if (wrong !== undefined) return wrong;
  const [minutes = [], hours = [], days = [], months = []] = read as number[][];
  if (!months.some((month) => days.some((day) => day <= (daysOfMonths[month - 1] ?? 0)))) return 'No month that it names has such a day.';
  return { secondsApart: 60 * leastGap(hours.flatMap((hour) => minutes.map((minute) => hour * 60 + minute))) };
}

/** @returns what fits, ascending. */
function valuesOf(field: Field, text: string): number[] | string {
  const all = text.split(',').map((part) => partOf(field, part));
  const wrong = all.find((values) => typeof values === 'string');
  return wrong ?? [...new Set((all as number[][]).flat())].sort((a, b) => a - b);
}

function partOf(field: Field, part: string): number[] | string {
  const [, whole, from = '', to, step] = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part) ?? [];
  const first = whole ? field.min : numberIn(field, from);
  // `5/10` is every tenth from the fifth on.
  const last = whole || (to === undefined && step !== undefined) ? field.max : numberIn(field, to ?? from);
  const by = Number(step ?? 1);
  if (first === undefined || last === undefined) return `"${part}" is no ${field.name}: it goes from ${field.min} to ${field.max}.`;
  if (first > last) return `"${part}" goes backwards: write two ranges, ${first}-${field.max},${field.min}-${last}.`;
  if (by < 1) return `"${part}" has no step: it is 1 or more.`;
  return Array.from({ length: Math.floor((last - first) / by) + 1 }, (_none, index) => first + index * by);
}

function numberIn({ min, max, names }: Field, text: string): number | undefined {
  const named = (names as readonly string[]).indexOf(text.toLowerCase());
  const value = named >= 0 ? named + (min === 1 ? 1 : 0) : /^\d{1,2}$/.test(text) ? Number(text) : NaN;
  return value >= min && value <= max ? value : undefined;
}

/** @param times - minutes of a day, ascending; over midnight to the first again. */
function leastGap(times: readonly number[]): number {
  const next = [...times.slice(1), (times[0] ?? 0) + dayMinutes];
  return Math.min(...times.map((time, index) => (next[index] ?? Infinity) - time));
}
