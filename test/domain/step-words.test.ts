import type { EventBody, LiveEntry, SessionEvent } from '../../src/contracts/events';
import { isBesideSteps, type StepWords, wordsWith } from '../../src/domain/step-words';

const usage = { inputTokens: 1, outputTokens: 1 };
const ofStep = { turnId: 'turn-1', step: 1 };

it.each<[EventBody, boolean]>([
  [{ type: 'turn.queued', turnId: 'turn-2' }, true],
  [{ type: 'facts.extracted', turnId: 'turn-0', facts: [] }, true],
  [{ type: 'facts.skipped', turnId: 'turn-0', code: 'model/refused', message: 'No.' }, true],
  [{ type: 'usage.recorded', ...ofStep, modelId: 'm', usage, purpose: 'extraction' }, true],
  [{ type: 'usage.wasted', ...ofStep, modelId: 'm', usage, purpose: 'extraction' }, true],
  [{ type: 'usage.recorded', ...ofStep, modelId: 'm', usage }, false],
  [{ type: 'usage.wasted', ...ofStep, modelId: 'm', usage }, true],
  [{ type: 'step.started', ...ofStep }, false],
  [{ type: 'step.reset', ...ofStep, attempt: 2 }, false],
  [{ type: 'message.completed', ...ofStep, text: 'Hi', stopReason: 'end_turn' }, false],
  [{ type: 'turn.completed', turnId: 'turn-1', outcome: 'cancelled' }, false],
])('says of %j whether it is beside steps: %s', (event, isBeside) => {
  expect(isBesideSteps(event)).toBe(isBeside);
});

it('counts the words of the step under way, whatever comes beside it, late or twice', () => {
  const event = (seq: number, body: EventBody): SessionEvent => ({ seq, at: '2030-01-01T00:00:00.000Z', ...body });
  const word = (afterSeq: number, n: number): LiveEntry => ({ type: 'text.delta', ...ofStep, afterSeq, n, text: 'word ' });
  const begun = event(4, { type: 'step.started', ...ofStep });
  const queued = event(5, { type: 'turn.queued', turnId: 'turn-2' });
  const reset = event(6, { type: 'step.reset', ...ofStep, attempt: 2 });
  const entries = [queued, begun, word(4, 1), word(4, 2), queued, word(4, 2), word(4, 3), begun, reset, word(4, 4), word(6, 1)];
  const seen: unknown[] = [];
  entries.reduce<StepWords>((words, entry) => {
    const next = wordsWith(words, entry);
    seen.push(`${next.after}.${next.n}`);
    return next;
  }, { after: undefined, n: 0 });
  expect(seen).toEqual(['undefined.0', '4.0', '4.1', '4.2', '4.2', '4.2', '4.3', '4.3', '6.0', '6.0', '6.1']);
});
