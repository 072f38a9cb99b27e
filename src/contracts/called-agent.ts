import { z } from 'zod';
import { AgentReference } from './agent-reference';
import { Budget } from './budget';
import { writtenText } from './written-text';

/** Agents one agent may have as tools. */
export const maxCalledAgents = 8;

/** Sessions inside each other, below the one that a user speaks in. */
export const maxErrandDepth = 3;

/** Another agent of the tenant as a tool: it works on a task in a session of its own, and its answer is the tool's result. */
export const CalledAgent = z.strictObject({
  /** An alias is looked up at each call. */
  agent: AgentReference,
  /** What the model calls it by. Absent: the agent's name. */
  tool: z
    .string()
    .regex(/^[a-z][a-z0-9-]*(_[a-z0-9-]+)*$/, 'a tool is named by a-z, 0-9, - and single _, starting with a letter')
    .max(64)
    .optional(),
  /** For the model: what the agent is good for. */
  description: writtenText({ max: 1_000 }),
  /** What a call does to the world, as the approval policy sees it. Absent: `write`. */
  effect: z.enum(['read', 'idempotent', 'write']).optional(),
  /** The most that one call may spend, within what every session may. */
  budget: Budget.optional(),
  /** How long one call may work, within what the other agent's turns may take. */
  timeoutSeconds: z.number().int().min(1).max(86_400).optional(),
});
export type CalledAgent = z.infer<typeof CalledAgent>;
