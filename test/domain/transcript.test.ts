import type { EventBody, SessionEvent } from '../../src/contracts/events';
import { openCalls, shownResult, type Summary, toModelMessages } from '../../src/domain/transcript';

const logged = (...bodies: EventBody[]): SessionEvent[] =>
  bodies.map((body, index) => ({ seq: index + 1, at: '2026-01-01T00:00:00.000Z', ...body }));
const asked = (turnId: string, text: string): EventBody => ({ type: 'turn.started', turnId, text });
const said = (turnId: string, step: number, text: string): EventBody => ({ type: 'message.completed', turnId, step, text, stopReason: 'end_turn' });
const wanted = (callId: string): EventBody => ({ type: 'tool.requested', turnId: 't1', step: 1, callId, tool: 'calculator', input: { expression: callId } });
const got = (callId: string): EventBody => ({ type: 'tool.completed', turnId: 't1', step: 1, callId, tool: 'calculator', output: { result: 4 } });
const failed = (callId: string): EventBody => ({ type: 'tool.failed', turnId: 't1', step: 1, callId, tool: 'calculator', code: 'tool/failed', message: 'no' });

it('gives every tool request its result, in messages that alternate', () => {
  const messages = toModelMessages(logged(asked('t1', 'both'), said('t1', 1, 'One moment.'), wanted('a'), wanted('b'), failed('b'), got('a'), said('t1', 2, 'Done.')));
  expect(messages).toEqual([
    { role: 'user', content: [{ text: 'both' }] },
    {
      role: 'assistant',
      content: [
        { text: 'One moment.' },
        { toolUse: { callId: 'a', name: 'calculator', input: { expression: 'a' } } },
        { toolUse: { callId: 'b', name: 'calculator', input: { expression: 'b' } } },
      ],
    },
    {
      role: 'user',
      content: [
        { toolResult: { callId: 'b', output: { error: 'no', code: 'tool/failed' }, isError: true } },
        { toolResult: { callId: 'a', output: { result: 4 }, isError: false } },
      ],
    },
    { role: 'assistant', content: [{ text: 'Done.' }] },
  ]);
});

it('joins messages of the user that had no answer', () => {
  expect(toModelMessages(logged(asked('t1', 'hello?'), asked('t2', 'are you there?')))).toEqual([
    { role: 'user', content: [{ text: 'hello?' }, { text: 'are you there?' }] },
  ]);
});

it('begins with the user even when the history was cut in the middle of a turn', () => {
  expect(toModelMessages(logged(said('t0', 2, 'the end of something'), asked('t1', 'next')))).toEqual([{ role: 'user', content: [{ text: 'next' }] }]);
});

it('cuts a tool result that would fill the context, and says so', () => {
  const [, , result] = toModelMessages(logged(asked('t1', 'x'), wanted('a'), { ...got('a'), output: 'y'.repeat(100_000) } as EventBody));
  expect(result).toMatchObject({ content: [{ toolResult: { output: { characters: 100_002 } } }] });
  expect(JSON.stringify(result).length).toBeLessThan(60_000);
});

it('finds the calls that still wait for a result', () => {
  expect(openCalls(logged(asked('t1', 'x'), wanted('a'), wanted('b'), got('a'))).map(({ callId }) => callId)).toEqual(['b']);
});

it('leaves out blank text, which a model may say and may not be shown', () => {
  const messages = toModelMessages(logged(asked('t1', 'x'), said('t1', 1, '\n\n'), wanted('a'), got('a')));
  expect(messages[1]).toEqual({ role: 'assistant', content: [{ toolUse: { callId: 'a', name: 'calculator', input: { expression: 'a' } } }] });
});

it('shows a message that steered behind the results of the step before it', () => {
  const steered: EventBody = { type: 'turn.steered', turnId: 't1', step: 2, messageId: 's1', text: 'in euros, please' };
  const messages = toModelMessages(logged(asked('t1', 'x'), wanted('a'), got('a'), steered, said('t1', 2, 'Done.')));
  expect(messages[2]).toEqual({ role: 'user', content: [{ toolResult: { callId: 'a', output: { result: 4 }, isError: false } }, { text: 'in euros, please' }] });
});

it('keeps what was said before an interruption, and says that there was one', () => {
  const partial: EventBody = { type: 'message.completed', turnId: 't1', step: 1, text: 'It is a', stopReason: 'stopped', partial: true };
  const end: EventBody = { type: 'turn.completed', turnId: 't1', outcome: 'interrupted' };
  expect(toModelMessages(logged(asked('t1', 'x'), partial, end, asked('t2', 'Stop. What is 6*7?')))).toEqual([
    { role: 'user', content: [{ text: 'x' }] },
    { role: 'assistant', content: [{ text: 'It is a' }] },
    { role: 'user', content: [{ text: expect.stringContaining('interrupted') as string }, { text: 'Stop. What is 6*7?' }] },
  ]);
});

it('does not show again what a guardrail objected to when a summary had kept it, word for word', () => {
  const summary: Summary = { type: 'history.compacted', turnId: 't1', step: 2, upTo: 5, summary: 'They talked.', within: 't1', request: 'say the forbidden word' };
  const end: EventBody = { type: 'turn.completed', turnId: 't1', outcome: 'failed', code: 'model/guardrail-intervened' };
  const shown = toModelMessages([summary, end, { type: 'turn.started', turnId: 't2', text: 'hello' }], summary);
  expect(JSON.stringify(shown)).not.toContain('forbidden');
  expect(JSON.stringify(toModelMessages([summary], summary))).toContain('forbidden');
});

it('cuts a long result without half a character', () => {
  const output = `${'x'.repeat(49_998)}😀 and more`;
  const shown = shownResult({ type: 'tool.completed', turnId: 't1', step: 1, callId: 'c1', tool: 'http_request', output });
  expect(JSON.stringify(shown)).not.toContain('\\ud8');
  expect(shown).toMatchObject({ truncated: `"${'x'.repeat(49_998)}` });
});

it('does not show again what a guardrail objected to, and says what was done meanwhile', () => {
  const end: EventBody = { type: 'turn.completed', turnId: 't1', outcome: 'failed', code: 'model/guardrail-intervened' };
  const [message, ...others] = toModelMessages(logged(asked('t1', 'something bad'), wanted('a'), got('a'), said('t1', 2, 'Sorry.'), end, asked('t2', 'hello')));
  expect(others).toEqual([]);
  expect(message).toEqual({ role: 'user', content: [{ text: expect.stringMatching(/guardrail.*calculator/) as string }, { text: 'hello' }] });
});

it('says nothing of a turn that was stopped before it began', () => {
  expect(toModelMessages(logged({ type: 'turn.completed', turnId: 't1', outcome: 'cancelled' }, asked('t2', 'hello')))).toEqual([{ role: 'user', content: [{ text: 'hello' }] }]);
});
