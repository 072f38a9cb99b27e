import type { JsonValue } from '../../src/contracts/model';
import { maxInputCharacters, maxInputDepth, type RequestedCall, soundCalls } from '../../src/domain/requested-calls';

const call = (changes: Partial<RequestedCall> = {}): RequestedCall => ({ callId: 'c1', name: 'calculator', input: {}, rawInput: '{}', ...changes });
const nested = (levels: number): JsonValue => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as JsonValue;

it('leaves a sound call as it is', () => {
  const input = { expression: '1 + 1' };
  expect(soundCalls([call({ input })])).toEqual([{ callId: 'c1', name: 'calculator', input, problem: undefined }]);
});

it.each(['', 'a b', '../other', 'x'.repeat(65), 'tool\u0000', 'http.request', 'ｃalculator'])('gives a name that Converse refuses (%j) to no tool', (name) => {
  expect(soundCalls([call({ name })])[0]?.name).toBe('unknown_tool');
});

it('keeps no half of a character, of what is refused either', () => {
  expect(soundCalls([call({ input: { fact: 'color=\ud800blue' } })])[0]?.input).toEqual({ fact: 'color=\ufffdblue' });
  const [refused] = soundCalls([call({ input: undefined, rawInput: `${'x'.repeat(999)}😀` })]);
  expect(refused?.input).toBe('x'.repeat(999));
});

it('gives each call an id of its own', () => {
  const ids = soundCalls(['c1', 'c1', '', 'call-2', '../x', 'y'.repeat(65)].map((callId) => call({ callId }))).map(({ callId }) => callId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every((id) => /^[a-zA-Z0-9_-]{1,64}$/.test(id))).toBe(true);
  expect(ids.filter((id) => id === 'c1')).toHaveLength(1);
});

it('refuses what is nested too deep, without going there itself', () => {
  expect(soundCalls([call({ input: nested(maxInputDepth) })])[0]?.problem).toBeUndefined();
  for (const levels of [maxInputDepth + 2, 200_000]) {
    const [sound] = soundCalls([call({ input: nested(levels), rawInput: '['.repeat(2_000) })]);
    expect(sound?.problem).toContain('nested');
    expect(sound?.input).toHaveLength(1_000);
  }
});

it('refuses what is too long, in one call and in all of a step', () => {
  const rawInput = 'x'.repeat(maxInputCharacters + 1);
  expect(soundCalls([call({ rawInput })])[0]).toMatchObject({ problem: expect.stringContaining('longer') as unknown, input: 'x'.repeat(1_000) });
  const large = call({ rawInput: 'x'.repeat(maxInputCharacters) });
  expect(soundCalls([large, large, large]).map(({ problem }) => problem === undefined)).toEqual([true, true, false]);
});

it('says so when the input is not JSON', () => {
  expect(soundCalls([call({ input: undefined, rawInput: '{"a"' })])[0]).toEqual({ callId: 'c1', name: 'calculator', input: '{"a"', problem: 'The tool input is not valid JSON.' });
});
