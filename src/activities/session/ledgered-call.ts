import { randomUUID } from 'node:crypto';
import { type ErrorCode, codeOf, DomainError, errors } from '../../contracts/errors';
import type { JsonValue } from '../../contracts/model';
import type { CallRef, ToolLedger } from '../../ports/tool-ledger';

/** After these nothing has happened, and trying again can help. */
const withoutEffect: ReadonlySet<ErrorCode | undefined> = new Set<ErrorCode>(['tool/unreachable', 'tool/busy']);

interface LedgeredCall {
  readonly ref: CallRef & { readonly tool: string };
  /** Whether the target tells a repetition by its key. */
  readonly mayRepeat: boolean;
  readonly signal: AbortSignal;
  run(): Promise<JsonValue>;
}

/** Either the call's output now, or where the log has the result of an earlier attempt. */
export type LedgeredOutput = { readonly output: JsonValue } | { readonly resultAt: number };

/**
 * Runs a call that changes something, at most once unless its target tells a repetition. Noted before it begins: who finds it
 * begun does not know what became of it.
 *
 * @throws DomainError `tool/outcome-unknown` when it may have taken effect and must not be repeated, and what the call throws.
 */
export async function runLedgered(ledger: ToolLedger, call: LedgeredCall): Promise<LedgeredOutput> {
  const { ref, mayRepeat, signal } = call;
  const earlier = await ledger.begin(ref, randomUUID());
  if (earlier?.state === 'finished') return { resultAt: earlier.resultAt };
  if (earlier && !mayRepeat) throw outcomeUnknown(ref.tool);
  try {
    return { output: await call.run() };
  } catch (error) {
    // An earlier attempt may have done it all the same: then nothing is taken back.
    if (withoutEffect.has(codeOf(error)) && !earlier) await ledger.release(ref);
    if (withoutEffect.has(codeOf(error)) || mayRepeat || signal.aborted || isAnswer(error)) throw error;
    throw outcomeUnknown(ref.tool, error);
  }
}

/** The tool itself says that it did not do it, or what it did. */
const isAnswer = (error: unknown): boolean => error instanceof DomainError && !errors[error.code].retryable;

const unknownText = (tool: string) => `${tool} was called, and its answer was lost: it may have taken effect or not. It is not repeated. Find out before you call it again.`;

const outcomeUnknown = (tool: string, cause?: unknown): DomainError => new DomainError('tool/outcome-unknown', unknownText(tool), { cause });

/** What a call came to that all attempts have failed: one that is still noted as begun may have taken effect. */
export async function failureOf(ledger: ToolLedger, call: CallRef & { tool: string }, failure: { code: string; message: string }): Promise<{ code: string; message: string }> {
  const progress = await ledger.find(call);
  return progress?.state === 'begun' ? { code: 'tool/outcome-unknown', message: unknownText(call.tool) } : failure;
}
