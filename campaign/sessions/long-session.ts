import { Client, Connection } from '@temporalio/client';
import { workflowIds } from '../../src/contracts/names';
import { medianOf } from '../timing-figures';
import type { Stage } from './stage';
import { problemsOfNumbers } from './verdict';

export interface LongSession {
  readonly turns: number;
  /** Of its workflow. */
  readonly runs: number;
  /** Of a run in history that has ended: the smallest and the largest. */
  readonly eventsPerTurn: readonly [number, number];
  /** Events of the longest run. */
  readonly longestRun: number;
  /** Median of turns 5 to 104, and of the last hundred. */
  readonly earlyMs: number;
  readonly lateMs: number;
  readonly problems: readonly string[];
}

const windowTurns = 100;

/** One conversation of many turns, one after the other. */
export async function longSession({ platform, user }: Stage, turns: number, onProgress: (line: string) => void = () => undefined): Promise<LongSession> {
  const connection = await Connection.connect({ address: platform.settings.temporalAddress });
  try {
    const session = await user.open();
    const { workflow } = new Client({ connection });
    const workflowId = workflowIds.session(user.tenantId, session);
    const tookMs: number[] = [];
    const turnsOfRuns = new Map<string, number>();
    const problems: string[] = [];
    for (let turn = 1; turn <= turns; turn += 1) {
      const startedAtMs = performance.now();
      const { outcome, answer } = await user.ask(session, `What is ${turn}*7?`);
      tookMs.push(performance.now() - startedAtMs);
      if (outcome !== 'completed' || answer !== `${turn}*7 is ${turn * 7}.`) problems.push(`turn ${turn} came to ${outcome}: ${answer}`);
      const { runId } = await workflow.getHandle(workflowId).describe();
      turnsOfRuns.set(runId, (turnsOfRuns.get(runId) ?? 0) + 1);
      if (turn % 200 === 0) onProgress(`${turn} of ${turns} turns`);
    }
    const log = await user.log(session);
    if (log.filter(({ type }) => type === 'turn.completed').length !== turns) problems.push('the log does not hold every turn');
    problems.push(...problemsOfNumbers(log));
    const runs = await Promise.all([...turnsOfRuns].map(async ([runId, count]) => ({ count, events: (await workflow.getHandle(workflowId, runId).describe()).historyLength })));
    const perTurn = runs.slice(0, -1).map(({ events, count }) => events / count);
    return {
      turns,
      runs: runs.length,
      eventsPerTurn: [Math.min(...perTurn), Math.max(...perTurn)],
      longestRun: Math.max(...runs.map(({ events }) => events)),
      earlyMs: medianOf(tookMs.slice(4, 4 + windowTurns)),
      lateMs: medianOf(tookMs.slice(-windowTurns)),
      problems,
    };
  } finally {
    await connection.close();
  }
}
