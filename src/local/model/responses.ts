import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type AnswerEnd, type Failure, signatureOf, type Thought, totalOf, type WantedCall } from './protocol';
import { callFrames, endFrames, exceptionFrame, startFrame, textFrame, thoughtFrames } from './wire';

type WholeUsage = Required<AnswerEnd>['usage'];
type WholeAnswer = AsyncGenerator<string, Required<AnswerEnd>, void>;

export interface Pace {
  readonly firstTokenMs: number;
  readonly msPerToken: number;
  /** Stops after so many pieces of text until `hold` resolves. */
  readonly holdAfter: number | undefined;
  readonly hold: () => Promise<void> | undefined;
}

interface Manner {
  /** Told before the answer. */
  readonly thought: Thought | undefined;
  readonly pace: Pace;
  readonly failure: Failure | undefined;
  readonly newCallId: () => string;
  /** Told of each piece of text when it is on its way. */
  readonly onText: (text: string) => void;
}

/** ConverseStream: text as it comes, then the tool requests. @returns what it cost; or that the caller has left, or it broke off. */
export async function streamAnswer(response: ServerResponse, answer: WholeAnswer, { thought, pace, failure, newCallId, onText }: Manner): Promise<WholeUsage | 'left' | 'broken'> {
  const startedAtMs = performance.now();
  const failsAfter = failure && 'after' in failure ? failure.after : undefined;
  // An answer that cannot even begin is refused with a status, not with a stream.
  let next = await answer.next();
  response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
  response.flushHeaders();
  if (pace.firstTokenMs > 0) await delay(pace.firstTokenMs);
  if (failsAfter !== 0) response.write(startFrame());
  if (thought && failsAfter !== 0) for (const frame of thoughtFrames(thought, signatureOf(thought.text))) response.write(frame);
  const before = thought ? 1 : 0;
  let pieces = 0;
  for (; !next.done && pieces !== failsAfter; next = await answer.next()) {
    if (pieces === pace.holdAfter) await pace.hold();
    if (response.destroyed) return 'left';
    response.write(textFrame(next.value, before));
    onText(next.value);
    pieces += 1;
    if (pace.msPerToken > 0) await delay(pace.msPerToken);
  }
  // Nothing is left of the text: what is held is the end.
  if (next.done && pieces === pace.holdAfter) await pace.hold();
  if (response.destroyed) return 'left';
  if (failure) breakOff(response, failure);
  if (failure || !next.done) return 'broken';
  const { calls, stopReason, usage } = next.value;
  for (const frame of callFrames(calls, { before, hasText: pieces > 0 }, newCallId)) response.write(frame);
  for (const frame of endFrames(stopReason, usage, Math.round(performance.now() - startedAtMs))) response.write(frame);
  response.end();
  return usage;
}

function breakOff(response: ServerResponse, { kind }: Failure): void {
  // What was written before must be on its way: the last empty write tells when it is.
  if (kind === 'disconnect') response.write('', () => response.destroy());
  else response.end(exceptionFrame('modelStreamErrorException', 'The model broke off.'));
}

/** Converse: all of it at once. @returns what it cost. */
export async function respondAtOnce(response: ServerResponse, answer: WholeAnswer, { thought, newCallId }: Pick<Manner, 'thought' | 'newCallId'>): Promise<WholeUsage> {
  const startedAtMs = performance.now();
  let text = '';
  let next = await answer.next();
  for (; !next.done; next = await answer.next()) text += next.value;
  const { calls, stopReason, usage } = next.value;
  const thoughts = thought?.redacted === true ? { redactedContent: Buffer.from(thought.text).toString('base64') } : thought && { reasoningText: { text: thought.text, signature: signatureOf(thought.text) } };
  const content = [...(thoughts ? [{ reasoningContent: thoughts }] : []), ...(text === '' ? [] : [{ text }]), ...calls.map((call) => ({ toolUse: { toolUseId: newCallId(), name: call.name, input: inputOf(call) } }))];
  const body = {
    output: { message: { role: 'assistant', content } },
    stopReason,
    usage: { ...usage, totalTokens: totalOf(usage) },
    metrics: { latencyMs: Math.round(performance.now() - startedAtMs) },
  };
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  return usage;
}

/** Input that is not JSON goes as the text it is: whoever reads it sees what the model wrote. */
function inputOf({ input = {}, rawInput }: WantedCall): unknown {
  if (rawInput === undefined) return input;
  if (rawInput === '') return {};
  try {
    return JSON.parse(rawInput);
  } catch {
    return rawInput;
  }
}
