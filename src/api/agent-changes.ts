import { setTimeout as delay } from 'node:timers/promises';
import { codeOf, DomainError } from '../contracts/errors';
import { createQueues } from '../domain/queues';
import { seenRevision } from './revisions';

/** Less than callers wait for an answer. */
const defaultPatienceMs = 5_000;
const pauseMs = { first: 50, longest: 1_000 };

export type AgentChanges = ReturnType<typeof createAgentChanges>;

/**
 * Changes agents. Who has not said what they have seen wants the change on top of whatever others made meanwhile: these come one after the other, and one that
 * another replica overtook is done again.
 */
export function createAgentChanges({ patienceMs = defaultPatienceMs } = {}) {
  const oneAtATime = createQueues();

  /**
   * @param change - reads the agent, and writes it.
   * @throws DomainError `agent/changed` when it is not as the caller has seen it; `agent/busy` when others were faster all the time; InvalidRequest
   */
  return async <T>({ tenantId, agentName }: { tenantId: string; agentName: string }, ifMatch: string | undefined, change: () => Promise<T>): Promise<T> => {
    if (seenRevision(ifMatch) !== undefined) return change();
    const untilMs = Date.now() + patienceMs;
    return oneAtATime(`${tenantId}/${agentName}`, async () => {
      for (let longestMs = pauseMs.first; Date.now() < untilMs; longestMs = Math.min(longestMs * 2, pauseMs.longest)) {
        try {
          return await change();
        } catch (error) {
          if (codeOf(error) !== 'agent/changed') throw error;
        }
        // At random: those who met once would meet again.
        await delay(Math.random() * longestMs);
      }
      throw new DomainError('agent/busy', 'Others change this agent all the time. Try again in a moment.');
    });
  };
}
