import { z } from 'zod';
import type { CalledAgent } from '../../../contracts/called-agent';
import { maxMessageCharacters } from '../../../contracts/session';
import { writtenText } from '../../../contracts/written-text';
import { toolNameOf } from '../../../domain/agents';
import { defineTool } from './tool';

/** What a call of another agent says. */
export const Task = z.strictObject({ task: writtenText({ max: maxMessageCharacters }).describe('All that it must know: it sees nothing of this conversation.') });

/** Another agent as a tool. Its own limits bound the work; the time here is that of opening its session. */
export const calledAgentTool = (agent: CalledAgent) =>
  defineTool({
    name: toolNameOf(agent),
    description: `Hands a task to another agent, and returns what it answers. ${agent.description}`,
    input: Task,
    output: z.object({ answer: z.string(), value: z.json().optional() }),
    effect: agent.effect ?? 'write',
    timeoutMs: 30_000,
    maxAttempts: 10,
    // Opening is: what was opened is told to stop then.
    whenStopped: 'finish',
    agent,
    run: () => Promise.reject(new TypeError(`${agent.agent} works in a session of its own`)),
  });
