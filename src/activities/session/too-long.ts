import type { ModelContexts } from '../../contracts/model-contexts';
import type { EventBody } from '../../contracts/events';
import { type CompactionPlan, planAfterOverflow, planBeforeStep, type Reading } from '../../domain/compaction';
import { bestMatch } from '../../domain/name-pattern';
import type { ModelQuestion } from '../../ports/model';
import type { History } from './history';

/** What of a conversation must be summarised before the model is asked, or asked again; undefined: nothing, or it would not help. */
export interface Shortening {
  beforeStep(): CompactionPlan | undefined;
  afterOverflow(): CompactionPlan | undefined;
}

interface Step {
  readonly history: History;
  readonly opening: readonly EventBody[];
  /** Once a step: what is too long then is the model's to refuse. */
  readonly compacted: boolean;
}

/** Measures nothing before it is asked, and asks nobody. */
export function shorteningOf(contexts: ModelContexts, { modelId, systemPrompt, tools }: ModelQuestion, { history, opening, compacted }: Step): Shortening {
  const context = bestMatch(contexts, modelId);
  const reading = (): Reading => ({ ...history, opening, fixedCharacters: systemPrompt.length + JSON.stringify(tools).length });
  return {
    beforeStep: () => (compacted || !context ? undefined : planBeforeStep(reading(), context)),
    afterOverflow: () => (compacted ? undefined : planAfterOverflow(reading(), context)),
  };
}
