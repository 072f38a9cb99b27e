import type { Arm } from './arms/arm';
import { describe, type Machine } from './machine';
import { median, spread, timedAsk } from './measure';

/** One conversation of many turns: whether the late ones take longer than the early ones. */
export interface LongSession {
  readonly arm: Arm['name'];
  readonly turns: number;
  /** Median of the fifty turns from the fifth on. */
  readonly earlyMs: number;
  /** Median of the last fifty. */
  readonly lateMs: number;
  /** Medians of turns 1 to 20, 21 to 40, and so on. */
  readonly windowsMs: readonly number[];
}

const edgeTurns = 50;
export const windowTurns = 20;

/** Arms take turns at each turn, so that a slow minute of the machine meets all of them. */
export async function longSessions(arms: readonly Arm[], turns: number, prompt: string): Promise<LongSession[]> {
  const talks = await Promise.all(arms.map(async (arm) => ({ arm: arm.name, conversation: await arm.openSession(), tookMs: [] as number[] })));
  for (let turn = 0; turn < turns; turn += 1)
    for (const { conversation, tookMs } of talks) tookMs.push(await timedAsk(conversation, prompt));
  return talks.map(({ arm, tookMs }) => ({
    arm,
    turns,
    earlyMs: median(tookMs.slice(4, 4 + edgeTurns)),
    lateMs: median(tookMs.slice(-edgeTurns)),
    windowsMs: Array.from({ length: Math.floor(turns / windowTurns) }, (_, index) => median(tookMs.slice(index * windowTurns, (index + 1) * windowTurns))),
  }));
}

/** Whether a session slows down as it grows. */
export function longToMarkdown({ machine, sessions }: { machine: Machine; sessions: readonly LongSession[] }): string {
  const rows = [...new Set(sessions.map(({ arm }) => arm))].map((arm) => {
    const own = sessions.filter((session) => session.arm === arm);
    const of = (figure: (session: LongSession) => number, digits: number) => spread(own.map(figure), digits);
    const growth = of(({ windowsMs }) => (windowsMs.at(-1) ?? Number.NaN) / (windowsMs[0] ?? Number.NaN), 2);
    return `| ${arm} | ${own[0]?.turns ?? 0} | ${of(({ earlyMs }) => earlyMs, 1)} | ${of(({ lateMs }) => lateMs, 1)} | ${of(({ earlyMs, lateMs }) => lateMs / earlyMs, 2)} | ${growth} |`;
  });
  return [
    describe(machine),
    '',
    '### W3: one session of many turns',
    `| arm | turns | p50 ms, turns 5 to 54 | p50 ms, the last 50 | late / early | last ${windowTurns} / first ${windowTurns} |`,
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    ...windowTable(sessions),
    ...crossing(sessions),
  ].join('\n');
}

/** Medians of the repeats, window by window. */
function windowsOf(sessions: readonly LongSession[], arm: Arm['name']): number[] {
  const own = sessions.filter((session) => session.arm === arm);
  return (own[0]?.windowsMs ?? []).map((_, index) => median(own.map(({ windowsMs }) => windowsMs[index] ?? Number.NaN)));
}

function windowTable(sessions: readonly LongSession[]): string[] {
  const arms = [...new Set(sessions.map(({ arm }) => arm))];
  const columns = arms.map((arm) => windowsOf(sessions, arm));
  const rows = (columns[0] ?? []).map((_, index) => `| ${index * windowTurns + 1}–${(index + 1) * windowTurns} | ${columns.map((column) => (column[index] ?? Number.NaN).toFixed(1)).join(' | ')} |`);
  return ['#### p50 ms as it grows', `| turns | ${arms.join(' | ')} |`, `|---${'|---'.repeat(arms.length)}|`, ...rows, ''];
}

/** From where on Tenure stays ahead of the peer. */
function crossing(sessions: readonly LongSession[]): string[] {
  const [ours, theirs] = [windowsOf(sessions, 'tenure'), windowsOf(sessions, 'langgraph')];
  if (ours.length === 0 || theirs.length === 0) return [];
  const first = ours.findLastIndex((ms, index) => ms >= (theirs[index] ?? Number.NaN)) + 1;
  const words = first < ours.length ? `Tenure is faster than LangGraph from turn ${first * windowTurns + 1} on` : `LangGraph is as fast as Tenure, or faster, up to turn ${ours.length * windowTurns}`;
  return [`${words} (medians of ${windowTurns} turns).`, ''];
}
