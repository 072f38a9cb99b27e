import type { Delta, LiveEntry, SessionEvent } from '../../contracts/events';

export interface TokenStreamOptions {
  readonly send: (delta: Delta) => void;
  readonly place: Pick<Delta, 'turnId' | 'step'>;
  /** Told of the first word. */
  readonly onFirst: () => void;
}

/** Collects the model's words and numbers each piece on its way out. They leave once they have a place in the log to follow. */
export class TokenStream {
  private words = '';
  private count = 0;
  private afterSeq: number | undefined;
  private thoughts = '';
  private waiting: Omit<Delta, 'afterSeq'>[] = [];

  constructor(private readonly options: TokenStreamOptions) {}

  get text(): string {
    return this.words;
  }

  /** What the model thought before it spoke. */
  get reasoning(): string {
    return this.thoughts;
  }

  push(text: string): void {
    this.words += text;
    this.tell('text.delta', text);
  }

  pushReasoning(text: string): void {
    this.thoughts += text;
    this.tell('reasoning.delta', text);
  }

  private tell(type: Delta['type'], text: string): void {
    if (text === '') return;
    this.count += 1;
    const delta = { type, ...this.options.place, n: this.count, text } as const;
    if (this.afterSeq === undefined) this.waiting.push(delta);
    else this.options.send({ ...delta, afterSeq: this.afterSeq });
    if (this.count === 1) this.options.onFirst();
  }

  /** The step's events, written as a whole, and behind its beginning the words that waited: as readers see them of a step that took longer. */
  among(events: readonly SessionEvent[]): LiveEntry[] {
    const waiting = this.waiting.splice(0);
    return events.flatMap((event): LiveEntry[] => (event.type === 'step.started' ? [event, ...waiting.map((delta) => ({ ...delta, afterSeq: event.seq }))] : [event]));
  }

  /** Lets out what waited. @param afterSeq - the last durable event before it. */
  open(afterSeq: number): void {
    this.afterSeq = afterSeq;
    for (const delta of this.waiting.splice(0)) this.options.send({ ...delta, afterSeq });
  }
}
