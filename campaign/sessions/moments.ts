import type { OrdersServer } from '../../src/local/demo/orders-server';
import { until } from '../until';
import { newName, type Stage } from './stage';

/** Several conversations that stand still at the same moment of their turn. */
export interface Held {
  readonly prompts: readonly string[];
  /** Resolves when all stand there. */
  reached(): Promise<void>;
  /** Lets those go on that a dead process has not taken along. */
  letGo(): Promise<void>;
  readonly saysWhatItShould: (answer: string) => boolean;
  /** Orders the shop must have been given by the end, each once. */
  readonly orders: number;
}

type Moment = (stage: Stage, count: number) => Promise<Held>;

const say = 'one two three four five six seven';

/** The model stops after so many words of its first answer, and says it whole to whoever asks again. */
const inAnswer =
  (holdAfter: number): Moment =>
  async ({ platform: { model } }, count) => {
    const prompts = Array.from({ length: count }, newName);
    for (const match of prompts) await model.script({ match, steps: [{ say, holdAfter }, { say }] });
    return { prompts, ...holdingOf(model, prompts), saysWhatItShould: (answer) => answer === say, orders: 0 };
  };

/** One of two calls of a step has its result, the other hangs. */
const betweenTools: Moment = async ({ platform: { model }, shop }, count) => {
  const prompts = Array.from({ length: count }, newName);
  const calls = [
    { name: 'calculator', input: { expression: '17*23' } },
    { name: 'http_request', input: { method: 'POST', url: `${shop.origin}/orders`, body: { request: 'a book' } } },
  ];
  for (const match of prompts) await model.script({ match, steps: [{ calls }, { say }] });
  return { prompts, ...withheldBy(shop, count), saysWhatItShould: (answer) => answer === say };
};

const inTool: Moment = ({ shop }, count) =>
  Promise.resolve({
    prompts: Array.from({ length: count }, () => `${newName()}: place an order for a book at ${shop.origin}/orders`),
    ...withheldBy(shop, count),
    saysWhatItShould: (answer) => answer.includes('order-'),
  });

export const moments = {
  'before the model': inAnswer(0),
  'in the answer': inAnswer(3),
  'between tools': betweenTools,
  'in a tool': inTool,
  'after the last word': inAnswer(say.split(' ').length),
} as const satisfies Record<string, Moment>;
export type MomentName = keyof typeof moments;

function holdingOf(model: Stage['platform']['model'], prompts: readonly string[]): Pick<Held, 'reached' | 'letGo'> {
  const stands = async (prompt: string) => (await model.holding(prompt)) === 1;
  return {
    reached: () => until('all conversations stand still', async () => (await Promise.all(prompts.map(stands))).every(Boolean)),
    letGo: async () => {
      await Promise.all(prompts.map((prompt) => model.release(prompt)));
    },
  };
}

function withheldBy(shop: OrdersServer, orders: number): Pick<Held, 'reached' | 'letGo' | 'orders'> {
  const placed = shop.withholdNext(orders);
  const letGo = () => {
    shop.answerWithheld();
    return Promise.resolve();
  };
  return { reached: () => placed, letGo, orders };
}
