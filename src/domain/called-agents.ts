import { type CalledAgent, maxErrandDepth } from '../contracts/called-agent';
import type { Budget } from '../contracts/budget';
import { DomainError } from '../contracts/errors';
import type { Errand } from '../contracts/session';
import type { AgentConfig } from '../contracts/tenant';
import { toolNameOf } from './agents';
import { lowest } from './budgets';

/**
 * @param builtIn - tools that any agent can name.
 * @throws DomainError `agent/invalid` when the name of an agent's tool is taken.
 */
export function mustHaveNamesOfTheirOwn({ agents = [] }: Pick<AgentConfig, 'agents'>, builtIn: readonly string[]): void {
  const names = agents.map(toolNameOf);
  const taken = names.find((name, place) => builtIn.includes(name) || names.indexOf(name) !== place);
  if (taken !== undefined) throw new DomainError('agent/invalid', `agents: the name ${taken} is taken by another tool. Give this one another name with "tool".`);
}

/**
 * Where calls among agents come back to an agent they came from.
 * @param from - the agent that begins. @param calls - the agents each one calls, by name.
 * @returns the way round; undefined when there is none.
 */
export function circleFrom(from: string, calls: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const cleared = new Set<string>();
  const search = (way: readonly string[]): string[] | undefined => {
    const last = way.at(-1) ?? from;
    if (way.indexOf(last) < way.length - 1) return way.slice(way.indexOf(last));
    if (cleared.has(last)) return undefined;
    for (const next of calls.get(last) ?? []) {
      const found = search([...way, next]);
      if (found) return found;
    }
    cleared.add(last);
    return undefined;
  };
  return search([from]);
}

/**
 * What an agent's settings come to where another one has called it: no more budget and time than the call gives it, and nobody waits for more
 * budget, since nobody looks on. At the largest depth it calls nobody. Nothing is learned of the user from it: a model has written what it is asked.
 */
export function settingsOnErrand(agent: AgentConfig, { depth, budget, timeoutMs }: Errand): AgentConfig {
  const { budgets, maxTurnSeconds, agents, memory } = agent;
  return {
    ...agent,
    budgets: { ...budgets, session: sessionBudget(budgets?.session, budget), onExhausted: 'end' },
    ...(memory && { memory: { ...memory, extract: false } }),
    maxTurnSeconds: Math.min(maxTurnSeconds, timeoutMs === undefined ? Infinity : timeoutMs / 1_000),
    agents: depth >= maxErrandDepth ? [] : agents,
  };
}

const sessionBudget = (own: Budget = {}, given: Budget = {}): Budget => lowest([own, given]);

/** What a call of another agent opens a session for. @param depth - of the session that calls. */
export const errandOf = ({ budget, timeoutSeconds }: CalledAgent, { turnId, depth }: Pick<Errand, 'turnId' | 'depth'>): Errand => ({
  turnId,
  depth: depth + 1,
  ...(budget && { budget }),
  ...(timeoutSeconds !== undefined && { timeoutMs: timeoutSeconds * 1_000 }),
});
