import { cancellationSignal } from '@temporalio/activity';
import type { Usage } from '../../contracts/events';
import { endOf } from '../../domain/stop-reasons';
import type { Model, ModelQuestion } from '../../ports/model';

/** An answer in words that nobody reads as it comes, noted while it does: one that breaks off has cost something, too. */
export interface PlainAnswer {
  text: string;
  usage: Usage | undefined;
  /** Whether the model came to an end as it should. */
  isWhole?: boolean;
}

/** @param mostCharacters - of what is read of it. */
export async function listen(model: Model, request: ModelQuestion, answer: PlainAnswer, mostCharacters: number): Promise<void> {
  for await (const chunk of model.converse({ ...request, signal: cancellationSignal() })) {
    if (chunk.kind === 'text' && answer.text.length < mostCharacters) answer.text += chunk.text;
    if (chunk.kind === 'end') Object.assign(answer, { usage: chunk.usage, isWhole: endOf(chunk.stopReason).outcome === 'completed' });
  }
}
