import type { AgentPin } from '../../contracts/agent';
import { type EventBody, maxBatchEvents, type SessionEvent, type Usage } from '../../contracts/events';
import type { Reasoning } from '../../contracts/model';
import type { SessionRef } from '../../contracts/session';
import type { AgentConfig } from '../../contracts/tenant';
import { rulingAmong } from '../../domain/approval-policy';
import { maxSteering, type OpenCall, type Thought } from '../../domain/session';
import { type RequestedCall, type SoundCall, soundCalls } from '../../domain/requested-calls';
import { endOf, isCutOff, mayUseTools } from '../../domain/stop-reasons';
import { structuredAnswer } from './answer-check';
import { approvalRequest, pendingFrom } from './approval-events';
import { errandIds } from './errand-ids';
import type { Equipped } from './policy';
import type { ToolSet } from './tools';

/** What the model said in one step, whole. */
export interface Answer {
  readonly text: string;
  readonly reasoning: readonly Reasoning[];
  readonly calls: readonly RequestedCall[];
  readonly stopReason: string;
  readonly usage: Usage;
  /** Whether another model than the agent's own said it. */
  readonly isFallback: boolean;
  /** Whether an answer of the turn was rejected before. */
  readonly isRepair: boolean;
}

interface StepPlace extends SessionRef {
  readonly userId: string;
  readonly agent?: AgentPin;
  readonly turnId: string;
  readonly step: number;
}

/** The step as the log keeps it: what was said, what is wanted, what is refused at once, what it cost, and the end of the turn. @param cost - its `usage.recorded`. */
export function eventsOf(answer: Answer, place: StepPlace, { version, agent, toolbox }: Equipped, cost: EventBody): EventBody[] {
  const { turnId, step } = place;
  const said: EventBody = { type: 'message.completed', turnId, step, text: answer.text, stopReason: answer.stopReason, ...(answer.isFallback && { modelId: agent.modelId }) };
  const calls = soundCalls(mayUseTools(answer.stopReason) ? answer.calls.slice(0, maxCallsPerBatch) : []);
  const thought: EventBody[] = answer.reasoning.length === 0 ? [] : [{ type: 'reasoning.completed', turnId, step, modelId: agent.modelId, blocks: [...answer.reasoning] }];
  if (calls.length === 0) {
    const { rejection, end } = endAfter(answer, place, agent);
    return [...thought, said, ...(rejection ? [rejection] : []), cost, ...(end ? [end] : [])];
  }
  const requests: EventBody[] = calls.map(({ callId, name, input }) => ({
    type: 'tool.requested',
    turnId,
    step,
    callId,
    tool: name,
    input,
    ...(toolbox.find(name)?.agent && { childSessionId: errandIds({ ...place, callId }).sessionId }),
  }));
  const answers = calls.flatMap((sound, index): EventBody[] => {
    const { callId, name: tool, input } = sound;
    const call = { turnId, step, callId, tool };
    const refusal = isCutOff(answer.stopReason) && index === calls.length - 1 ? maybeCutOff : refusalOf(sound, index, agent, toolbox);
    if (refusal) return [{ type: 'tool.failed', ...call, ...refusal }];
    const ruling = rulingAmong(toolbox, agent.approvals, { tool, input });
    if (ruling.decision === 'deny') return [{ type: 'tool.failed', ...call, ...deniedByPolicy }];
    return ruling.decision === 'ask' ? [approvalRequest({ ...place, ...call, input, policyVersion: version, terms: ruling.terms }, Date.now())] : [];
  });
  return [...thought, said, ...requests, ...answers, cost];
}

/** How a step without tools ends its turn; or why the model is asked once more. */
function endAfter({ text, stopReason, isRepair }: Answer, { turnId, step }: StepPlace, { responseSchema }: AgentConfig): { rejection?: EventBody; end?: EventBody } {
  const end = { type: 'turn.completed', turnId, ...endOf(stopReason) } as const;
  if (end.outcome !== 'completed' || responseSchema === undefined) return { end };
  const answer = structuredAnswer(responseSchema, text);
  if ('value' in answer) return { end: { ...end, value: answer.value } };
  if (!isRepair) return { rejection: { type: 'answer.rejected', turnId, step, problem: answer.problem } };
  return { end: { type: 'turn.completed', turnId, outcome: 'failed', code: 'model/invalid-output', message: `The answer does not fit the agent's schema: ${answer.problem}.` } };
}

export const deniedByPolicy = { code: 'tool/denied', message: 'The policy of this tenant does not allow this call.' } as const;

/** Input that lacks its end can still be JSON: of a call that was not begun, nothing is. */
const maybeCutOff = { code: 'tool/invalid-input', message: 'Your answer was cut at the largest length allowed, and this call may not be whole. Make it again, shorter.' } as const;

/** Session and turn begin, the step does, the model thinks and speaks, and it costs. */
const maxOtherEvents = 7;
/** Room for a request and a refusal or an approval each, and what stands around them. */
const maxCallsPerBatch = Math.floor((maxBatchEvents - maxOtherEvents - maxSteering) / 2);

function refusalOf(
  { name, input, problem: flaw }: SoundCall,
  index: number,
  agent: AgentConfig,
  toolbox: ToolSet,
): { code: string; message: string } | undefined {
  if (index >= agent.maxToolsPerStep)
    return { code: 'tool/invalid-input', message: `Only ${agent.maxToolsPerStep} tools can be used in one step.` };
  const tool = agent.tools.includes(name) ? toolbox.find(name) : undefined;
  if (!tool) return { code: 'tool/unknown', message: `There is no tool "${name}". You have: ${agent.tools.join(', ')}.` };
  if (flaw !== undefined) return { code: 'tool/invalid-input', message: flaw };
  const problem = tool.problemWith(input);
  return problem ? { code: 'tool/invalid-input', message: problem } : undefined;
}

/** Reads the workflow's part of a step back from its events, whoever wrote them. */
export function thoughtFrom(events: readonly SessionEvent[], { version, agent, toolbox }: Equipped): Thought {
  const refused = new Set(events.flatMap((event) => (event.type === 'tool.failed' ? [event.callId] : [])));
  const calls = events.flatMap((event) => {
    if (event.type !== 'tool.requested' || refused.has(event.callId)) return [];
    const asked = events.find((other) => other.type === 'approval.requested' && other.callId === event.callId);
    return [{ ...openCallOf(event, toolbox), ...(asked?.type === 'approval.requested' && { approval: pendingFrom(asked, agent) }) }];
  });
  const end = events.find((event) => event.type === 'turn.completed');
  return {
    head: events.at(-1)?.seq ?? 0,
    ...(end && { outcome: end.outcome }),
    ...(end?.outcome === 'completed' && agent.memory?.extract && { extract: true }),
    calls,
    configVersion: version,
    limits: { maxSteps: agent.maxStepsPerTurn, maxTurnMs: agent.maxTurnSeconds * 1_000, historyTurns: agent.historyTurns },
  };
}

function openCallOf({ callId, tool, seq, input, childSessionId }: Extract<SessionEvent, { type: 'tool.requested' }>, toolbox: ToolSet): OpenCall {
  const found = toolbox.find(tool);
  const { timeoutMs = 60_000, maxAttempts = 1, maxAtOnce } = found ?? {};
  return { callId, tool, requestedAt: seq, timeoutMs, maxAttempts, ...(maxAtOnce !== undefined && { maxAtOnce }), ...(found?.finishes(input) && { finishes: true }), ...(childSessionId !== undefined && { childSessionId }) };
}
