import { clockMs } from '../src/local/model/clock';
import { modelControl } from '../src/local/model/control';
import type { LocalPlatform } from '../src/local/platform';
import type { Arm } from './arms/arm';
import { plainModel } from './arms/steps';
import { makeTenant, type StreamedConversation, unlimited } from './arms/tenure';
import { describe, type Machine } from './machine';
import { median, type Percentiles, percentilesOf, spread } from './measure';

/** What one repeat saw. */
export interface WordsSample {
  /** From the question until the model has it, p50. */
  readonly bareDispatchMs: number;
  readonly dispatchMs: number;
  /** From the question to the first word, less the time the model took for it, p50. */
  readonly firstWordMs: number;
  /** From the model to the reader, of words of many streams at once: p50 and p99. */
  readonly words: Travel;
  /** The same for readers of the model itself. */
  readonly directWords: Travel;
}

export interface Travel extends Percentiles {
  readonly words: number;
}

const streams = 50;
const pace = { firstTokenMs: 50, msPerToken: 50 };
const questions = 100;
const shortAnswer = 'Say the clock 2 times.';
const longAnswer = 'Say the clock 120 times.';

/**
 * How soon a reader reads what the model says: the words are the moments they were said at, and the first one is when the
 * question came. One question at a time, plain Temporal and Tenure in turn; then many streams at once, each of 20 words a second.
 */
export async function words(platform: LocalPlatform, bare: Arm, repeats: number): Promise<WordsSample[]> {
  await modelControl(platform.stack.urls.model).timing(pace);
  const tenant = await makeTenant(platform, { tenantId: 'words', tier: 'premium', rate: unlimited });
  const [talk, ...talks] = await Promise.all(Array.from({ length: streams + 1 }, () => tenant.openSession()));
  if (!talk) throw new Error('There is no session.');
  const ask = plainModel(platform.stack.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');
  await askInTurn(bare, talk);
  const samples: WordsSample[] = [];
  for (let repeat = 1; repeat <= repeats; repeat += 1) {
    const directWords = await travelOf(talks.map(() => heardFrom(ask)));
    const sample = { ...(await askInTurn(bare, talk)), directWords, words: await travelOf(talks.map((one) => one.hear(longAnswer))) };
    console.error(`words, repeat ${repeat}: first word ${sample.firstWordMs.toFixed(1)} ms, bare's dispatch ${sample.bareDispatchMs.toFixed(1)} ms; a word ${sample.words.p50Ms.toFixed(1)} ms, p99 ${sample.words.p99Ms.toFixed(1)} ms`);
    samples.push(sample);
  }
  return samples;
}

async function askInTurn(bare: Arm, talk: StreamedConversation): Promise<Pick<WordsSample, 'bareDispatchMs' | 'dispatchMs' | 'firstWordMs'>> {
  const plain = await bare.openSession();
  const took = { bareDispatch: [] as number[], dispatch: [] as number[], firstWord: [] as number[] };
  for (let question = 0; question < questions; question += 1) {
    const plainAskedAtMs = clockMs();
    took.bareDispatch.push((momentsIn(await plain.ask(shortAnswer))[0] ?? Number.NaN) - plainAskedAtMs);
    const askedAtMs = clockMs();
    const [first] = await heard(talk.hear(shortAnswer));
    if (!first) throw new Error('Nothing was said.');
    took.dispatch.push(first.saidAtMs - askedAtMs);
    took.firstWord.push(first.heardAtMs - askedAtMs - pace.firstTokenMs);
  }
  return { bareDispatchMs: median(took.bareDispatch), dispatchMs: median(took.dispatch), firstWordMs: median(took.firstWord) };
}

/** Of the words that were said while all spoke: how turns begin and end beside each other is another figure. */
async function travelOf(answers: readonly AsyncIterable<string>[]): Promise<Travel> {
  const all = await Promise.all(answers.map(heard));
  const fromMs = Math.max(...all.map(([first]) => first?.heardAtMs ?? Number.NaN));
  const toMs = Math.min(...all.map((moments) => moments.at(-1)?.saidAtMs ?? Number.NaN));
  const tookMs = all.flat().filter(({ saidAtMs }) => saidAtMs > fromMs && saidAtMs < toMs).map(({ saidAtMs, heardAtMs }) => heardAtMs - saidAtMs);
  return { ...percentilesOf(tookMs), words: tookMs.length };
}

async function heard(answer: AsyncIterable<string>): Promise<{ saidAtMs: number; heardAtMs: number }[]> {
  const moments: { saidAtMs: number; heardAtMs: number }[] = [];
  for await (const piece of answer) {
    const heardAtMs = clockMs();
    moments.push(...momentsIn(piece).map((saidAtMs) => ({ saidAtMs, heardAtMs })));
  }
  return moments;
}

const momentsIn = (text: string): number[] => (text.match(/\S+/g) ?? []).map(Number);

async function* heardFrom(ask: ReturnType<typeof plainModel>): AsyncGenerator<string> {
  for await (const chunk of ask([{ role: 'user', content: [{ text: longAnswer }] }])) if (chunk.kind === 'text') yield chunk.text;
}

export function wordsToMarkdown({ machine, samples }: { machine: Machine; samples: readonly WordsSample[] }): string {
  const of = (figure: (sample: WordsSample) => number) => spread(samples.map(figure), 1);
  return [
    describe(machine),
    '',
    '### Words: how soon a reader reads what the model says',
    'Median of the repeats (smallest–largest).',
    '',
    '| one question at a time, p50 | ms |',
    '|---|---|',
    `| bare: question to model | ${of(({ bareDispatchMs }) => bareDispatchMs)} |`,
    `| tenure: question to model | ${of(({ dispatchMs }) => dispatchMs)} |`,
    `| tenure: question to first word, less the model’s ${pace.firstTokenMs} ms | ${of(({ firstWordMs }) => firstWordMs)} |`,
    `| the last less the first | ${of(({ firstWordMs, bareDispatchMs }) => firstWordMs - bareDispatchMs)} |`,
    '',
    `| a word, of ${streams} streams at once, ${1_000 / pace.msPerToken} a second each | p50 ms | p99 ms |`,
    '|---|---|---|',
    `| read from the model itself | ${of(({ directWords }) => directWords.p50Ms)} | ${of(({ directWords }) => directWords.p99Ms)} |`,
    `| read from tenure | ${of((sample) => sample.words.p50Ms)} | ${of((sample) => sample.words.p99Ms)} |`,
    `| difference | ${of((sample) => sample.words.p50Ms - sample.directWords.p50Ms)} | ${of((sample) => sample.words.p99Ms - sample.directWords.p99Ms)} |`,
    '',
  ].join('\n');
}
