import { StopReason } from '@aws-sdk/client-bedrock-runtime';
import { isErrorCode } from '../../src/contracts/errors';
import { endOf, mayUseTools } from '../../src/domain/stop-reasons';

it.each(Object.values(StopReason))('knows what becomes of a turn whose model stopped for %s', (reason) => {
  const { outcome, code } = endOf(reason);
  expect(code).not.toBe('model/unknown-stop');
  expect(outcome === 'completed' || isErrorCode(code)).toBe(true);
});

it.each(['of_the_future', 'constructor', ''])('calls %j unknown, and carries out nothing of it', (reason) => {
  expect(endOf(reason)).toMatchObject({ outcome: 'failed', code: 'model/unknown-stop' });
  expect(mayUseTools(reason)).toBe(false);
});

it('carries out no tool request of an answer that was withheld or cannot be read', () => {
  expect(Object.values(StopReason).filter(mayUseTools).sort()).toEqual(['end_turn', 'max_tokens', 'stop_sequence', 'tool_use']);
});
