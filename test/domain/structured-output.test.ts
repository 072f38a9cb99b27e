import { jsonIn } from '../../src/domain/structured-output';
import { toModelMessages } from '../../src/domain/transcript';

it.each([
  ['{"a":1}', { a: 1 }],
  [' [1, 2]\n', [1, 2]],
  ['```json\n{"a": 1}\n```', { a: 1 }],
  ['```\nnull\n```\n', null],
  ['Here it is: {"a":1}', undefined],
  ['', undefined],
])('reads %j', (text, value) => {
  expect(jsonIn(text)).toEqual(value);
});

it('tells the model what was wrong with its answer', () => {
  const step = { turnId: 't1', step: 1 };
  const messages = toModelMessages([
    { type: 'turn.started', turnId: 't1', text: 'How many?' },
    { type: 'message.completed', ...step, text: 'Two.', stopReason: 'end_turn' },
    { type: 'answer.rejected', ...step, problem: 'it is not JSON' },
  ]);
  expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
  expect(messages[2]?.content).toEqual([{ text: expect.stringContaining('it is not JSON') as string }]);
});
