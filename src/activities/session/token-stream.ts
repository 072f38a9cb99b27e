import type { TextDelta } from '../../contracts/events';

/** Collects the model's words and numbers each piece on its way out. */
export class TokenStream {
  private words = '';
  private count = 0;

  constructor(
    private readonly send: (delta: TextDelta) => void,
    private readonly place: Pick<TextDelta, 'turnId' | 'step'>,
  ) {}

  get text(): string {
    return this.words;
  }

  /** @param afterSeq - the last durable event before it. */
  push(text: string, afterSeq: number): void {
    if (text === '') return;
    this.words += text;
    this.count += 1;
    this.send({ type: 'text.delta', ...this.place, afterSeq, n: this.count, text });
  }
}
