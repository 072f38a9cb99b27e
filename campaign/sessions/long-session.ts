import { Client, Connection } from '@temporalio/client';
import { workflowIds } from '../../src/contracts/names';
import { turnsPerRun } from '../../src/domain/session';
import type { Stage } from './stage';
import { problemsOfNumbers } from './verdict';

export interface LongSession {
  readonly turns: number;
  /** Of its workflow. */
  readonly runs: number;
  /** Of a whole run in history: the smallest and the largest. */
  readonly eventsPerTurn: readonly [number, number];
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
    const runIds = new Set<string>();
    const problems: string[] = [];
    for (let turn = 1; turn <= turns; turn += 1) {
      const startedAtMs = performance.now();
      const { outcome, answer } = await user.ask(session, `What is ${turn}*7?`);
      tookMs.push(performance.now() - startedAtMs);
      if (outcome !== 'completed' || answer !== `${turn}*7 is ${turn * 7}.`) problems.push(`turn ${turn} came to ${outcome}: ${answer}`);
      runIds.add((await workflow.getHandle(workflowId).describe()).runId);
      if (turn % 200 === 0) onProgress(`${turn} of ${turns} turns`);
    }
    const log = await user.log(session);
    if (log.filter(({ type }) => type === 'turn.completed').length !== turns) problems.push('the log does not hold every turn');
    problems.push(...problemsOfNumbers(log));
    const lengths = await Promise.all([...runIds].slice(0, -1).map(async (runId) => (await workflow.getHandle(workflowId, runId).describe()).historyLength));
    const perTurn = lengths.map((length) => length / turnsPerRun);
    return {
      turns,
      runs: runIds.size,
      eventsPerTurn: [Math.min(...perTurn), Math.max(...perTurn)],
      earlyMs: median(tookMs.slice(4, 4 + windowTurns)),
      lateMs: median(tookMs.slice(-windowTurns)),
      problems,
    };
  } finally {
    await connection.close();
  }
}

const median = (values: readonly number[]): number => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
