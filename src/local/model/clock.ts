import { type Answer, type ConverseRequest, textOf } from './protocol';

/** Of the machine: the same in every process of it, and nobody sets it. */
export const clockMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** "Say the clock 40 times": how many times. */
export function clockWordsIn({ messages }: Pick<ConverseRequest, 'messages'>): number | undefined {
  const [, times] = /\bsay the clock (\d{1,4}) times\b/i.exec(textOf(messages.at(-1))) ?? [];
  return times === undefined ? undefined : Number(times);
}

/** Each word is {@link clockMs} when it was said; the first one, when the question came. */
// eslint-disable-next-line @typescript-eslint/require-await -- an answer that waits for nothing, as one that comes
export async function* clockWords(times: number): Answer {
  for (let word = 0; word < times; word += 1) yield `${clockMs().toFixed(3)} `;
  return { calls: [], stopReason: 'end_turn' };
}
