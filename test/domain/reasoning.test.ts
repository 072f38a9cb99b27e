import type { EventBody } from '../../src/contracts/events';
import { canReason, mayReason } from '../../src/domain/reasoning';
import { toModelMessages } from '../../src/domain/transcript';

const blocks = [{ text: 'Hm.', signature: 'signed' }, { redacted: 'c2VjcmV0' }];
const thought = (turnId: string, step: number): EventBody => ({ type: 'reasoning.completed', turnId, step, modelId: 'a', blocks });
const wanted = (turnId: string, step: number): EventBody => ({ type: 'tool.requested', turnId, step, callId: `c${step}`, tool: 'calculator', input: {} });
const got = (turnId: string, step: number): EventBody => ({ type: 'tool.completed', turnId, step, callId: `c${step}`, tool: 'calculator', output: 4 });
const asked = (turnId: string): EventBody => ({ type: 'turn.started', turnId, text: 'what?' });
const loop = (turnId: string) => [asked(turnId), thought(turnId, 1), wanted(turnId, 1), got(turnId, 1)];
const reasoningIn = (events: readonly EventBody[], thinker?: { turnId: string; modelId: string }) =>
  toModelMessages(events, undefined, { thinker }).map(({ content }) => content.flatMap((block) => ('reasoning' in block ? [block.reasoning] : [])));

it('shows a model again what it thought before its tools, first and unchanged', () => {
  const messages = toModelMessages(loop('t1'), undefined, { thinker: { turnId: 't1', modelId: 'a' } });
  expect(messages[1]?.content).toEqual([{ reasoning: blocks[0] }, { reasoning: blocks[1] }, { toolUse: expect.anything() as unknown }]);
});

it('shows it to nobody else, and not in later turns', () => {
  const none = [[], [], []];
  expect(reasoningIn(loop('t1'))).toEqual(none);
  expect(reasoningIn(loop('t1'), { turnId: 't1', modelId: 'b' })).toEqual(none);
  expect(reasoningIn(loop('t1'), { turnId: 't2', modelId: 'a' })).toEqual(none);
  // Of a step without tools there is nothing to go on with.
  expect(reasoningIn([asked('t1'), thought('t1', 1), { type: 'message.completed', turnId: 't1', step: 1, text: 'No.', stopReason: 'end_turn' }], { turnId: 't1', modelId: 'a' })).toEqual([[], []]);
});

it('lets a model reason in a loop of tools only when its own reasoning began it', () => {
  const model = { turnId: 't1', modelId: 'a' };
  expect(mayReason([asked('t1')], model)).toBe(true);
  // Models that have reasoned go on without after a tool.
  expect(mayReason([...loop('t1'), wanted('t1', 2), got('t1', 2)], model)).toBe(true);
  expect(mayReason(loop('t1'), { ...model, modelId: 'b' })).toBe(false);
  expect(mayReason([asked('t1'), wanted('t1', 1), got('t1', 1)], model)).toBe(false);
  expect(mayReason([asked('t0'), wanted('t0', 1), got('t0', 1), asked('t1')], model)).toBe(true);
});

it('knows who takes a budget for it', () => {
  expect(['anthropic.claude', 'us.anthropic.claude', 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/x', 'meta.llama3', 'us.amazon.nova'].map(canReason)).toEqual([true, true, true, false, false]);
});
