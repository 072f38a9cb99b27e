import type { ErrorCode } from '../contracts/errors';
import type { TurnOutcome } from '../contracts/session';

/** How a turn ends when the model stops, and why, by a row of the table of errors. */
interface ModelEnd {
  readonly outcome: TurnOutcome;
  readonly code?: ErrorCode;
  readonly message?: string;
}

/** Said too where a model refuses a request for its length. */
export const tooLong = 'The conversation is longer than the model can read. Open a new session, or show the model fewer turns (historyTurns).';

/** Why a model stops, as Converse names it, and what becomes of its turn. */
const ends: Readonly<Record<string, ModelEnd>> = {
  end_turn: { outcome: 'completed' },
  stop_sequence: { outcome: 'completed' },
  max_tokens: { outcome: 'completed', code: 'model/cut-off', message: 'The answer was cut at the largest length allowed.' },
  tool_use: { outcome: 'failed', code: 'model/malformed-output', message: 'The model stopped to use a tool, and asked for none.' },
  guardrail_intervened: { outcome: 'failed', code: 'model/guardrail-intervened', message: 'The guardrail intervened. Say it in another way.' },
  content_filtered: { outcome: 'failed', code: 'model/content-filtered', message: "The model's content filter withheld the answer. Say it in another way." },
  malformed_model_output: { outcome: 'failed', code: 'model/malformed-output', message: 'The model wrote what cannot be read.' },
  malformed_tool_use: { outcome: 'failed', code: 'model/malformed-output', message: 'The model asked for a tool in a way that cannot be read.' },
  model_context_window_exceeded: { outcome: 'failed', code: 'model/context-overflow', message: tooLong },
};

/** A reason that Converse has learnt since counts as a failure: nobody knows whether the answer is whole. */
export const endOf = (stopReason: string): ModelEnd =>
  (Object.hasOwn(ends, stopReason) ? ends[stopReason] : undefined) ?? { outcome: 'failed', code: 'model/unknown-stop', message: `The model stopped for a reason that is not known here (${stopReason.slice(0, 100)}).` };

/** Whether the model's tool requests are meant: of an answer that was withheld, or cannot be read, nothing is carried out. */
export const mayUseTools = (stopReason: string): boolean => ['tool_use', 'end_turn', 'stop_sequence', 'max_tokens'].includes(stopReason);

/** Whether the last thing in the answer may lack its end. */
export const isCutOff = (stopReason: string): boolean => stopReason === 'max_tokens';

/** Whether asking the same again can help. */
export const isMalformed = (stopReason: string): boolean => stopReason === 'malformed_model_output' || stopReason === 'malformed_tool_use';

/** Whether the model had no room left to go on: less to read would give it some. */
export const isOverflow = (stopReason: string): boolean => stopReason === 'model_context_window_exceeded';
