import type { TextDelta } from '../../contracts/events';

/** Collects the model's words and numbers each piece on its way out. */
export class TokenStream {
  private words = '';
  private count = 0;

  constructor(
    private readonly send: (delta: TextDelta) => void,
    private readonly place: Pick<TextDelta, 'turnId' | 'step' | 'afterSeq'>,
  ) {}

  get text(): string {
    return this.words;
  }

  push(text: string): void {
    if (text === '') return;
    this.words += text;
    this.count += 1;
    this.send({ type: 'text.delta', ...this.place, n: this.count, text });
  }
}
