import type { Arm } from './arms/arm';
import { quantile } from './measure';

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
    for (const { conversation, tookMs } of talks) {
      const askedAtMs = performance.now();
      await conversation.ask(prompt);
      tookMs.push(performance.now() - askedAtMs);
    }
  return talks.map(({ arm, tookMs }) => ({
    arm,
    turns,
    earlyMs: quantile(tookMs.slice(4, 4 + edgeTurns), 0.5),
    lateMs: quantile(tookMs.slice(-edgeTurns), 0.5),
    windowsMs: Array.from({ length: Math.floor(turns / windowTurns) }, (_, index) => quantile(tookMs.slice(index * windowTurns, (index + 1) * windowTurns), 0.5)),
  }));
}
