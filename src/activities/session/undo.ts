import { cancellationSignal } from '@temporalio/activity';
import type { AgentPin } from '../../contracts/agent';
import { DomainError, errors } from '../../contracts/errors';
import type { EventBody, SessionEvent } from '../../contracts/events';
import type { JsonValue } from '../../contracts/model';
import { batchKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import { rulingAmong } from '../../domain/approval-policy';
import type { UndoCall } from '../../domain/session';
import { tallyOf, undoCandidates } from '../../domain/undo';
import { record, type SessionStepDeps } from './deps';
import { failureOf, runLedgered } from './ledgered-call';
import { type Equipped, equip } from './policy';
import { deniedByPolicy } from './step-events';
import type { Undoing } from './tools/tool';
import { inputOf, type Recorded } from './use-tool';

/** A request to take back what a turn has done. */
export interface UndoInput extends SessionRef {
  readonly userId: string;
  readonly agent?: AgentPin;
  readonly turnId: string;
  readonly undoId: string;
  /** Where the turn ends in the log: all that is said of taking it back comes behind that. */
  readonly upTo: number;
}

export interface UndoToolInput extends UndoInput {
  readonly call: UndoCall;
}

export interface FailUndoInput extends UndoToolInput {
  readonly code: string;
  readonly message: string;
}

export interface EndUndoInput extends UndoInput {
  /** Why nothing was tried at all. */
  readonly failure?: { readonly code: string; readonly message: string };
}

export const createUndoActivities = (deps: SessionStepDeps) => ({
  /**
   * Finds what is to be taken back: calls of the turn that were done and not taken back yet, newest first. Those that have done nothing are left out, and those of which
   * the log says already that they cannot be.
   *
   * @throws DomainError `agent/not-found`, `config/unreadable`, `tenant/not-found`
   */
  async planUndo(input: UndoInput): Promise<{ calls: UndoCall[] }> {
    const equipped = await equip(deps, input);
    const calls: UndoCall[] = [];
    for (const { isReported, ...call } of undoCandidates(await logOf(deps, input), input)) {
      const undoing = await undoingOf(deps, equipped, { ...input, call });
      if (undoing !== 'nothing' && !(undoing === undefined && isReported)) calls.push(call);
    }
    return { calls };
  },

  /**
   * Takes one call back, and writes so. Noted in the ledger first, as the call was: one of which nobody knows what became of it is not repeated, unless its target tells a
   * repetition. What the log has of an earlier attempt stands.
   *
   * @throws DomainError with a retryable code: tried again. Any other is written as the undo's failure.
   */
  async undoTool(input: UndoToolInput): Promise<Recorded> {
    const earlier = await resultOf(deps, input);
    if (earlier !== undefined) return { head: earlier };
    const equipped = await equip(deps, input);
    const call = refOf(input);
    try {
      const undoing = await undoingOf(deps, equipped, input);
      if (undoing === 'nothing') return { head: input.upTo };
      mustBeAllowed(equipped, input, undoing);
      const { tenantId, userId, turnId, call: { step, callId } } = input;
      const context = { owner: { tenantId, userId }, agent: equipped.agent, idempotencyKey: `${turnId}/${step}/${callId}/undo`, signal: cancellationSignal() };
      const run = () => undoing.run(context).then((): JsonValue => null);
      const ran = await runLedgered(deps.ledger, { ref: call, mayRepeat: undoing.mayRepeat, signal: context.signal, run });
      if ('resultAt' in ran) return { head: ran.resultAt };
    } catch (error) {
      if (!(error instanceof DomainError) || errors[error.code].retryable) throw error;
      return writeFailure(deps, input, { code: error.code, message: error.message });
    }
    const { turnId, call: { step, callId } } = input;
    const { head } = await record(deps, input, { after: input.upTo, key: batchKeys.callUndone(turnId, step, callId), events: [{ type: 'tool.undone', ...placeOf(input) }] });
    await deps.ledger.finish(call, head);
    return { head };
  },

  /** Writes that a call was not taken back, unless it was after all. */
  async failUndo({ code, message, ...input }: FailUndoInput): Promise<Recorded> {
    const earlier = await resultOf(deps, input);
    return earlier === undefined ? writeFailure(deps, input, await failureOf(deps.ledger, refOf(input), { code, message })) : { head: earlier };
  },

  /** Writes what the request has come to. */
  async endUndo({ failure, ...input }: EndUndoInput): Promise<Recorded> {
    const { turnId, undoId, upTo } = input;
    const events: EventBody[] = [{ type: 'undo.completed', undoId, turnId, ...tallyOf(await logOf(deps, input), undoId), ...failure }];
    const { head } = await record(deps, input, { after: upTo, key: batchKeys.undoCompleted(turnId, undoId), events });
    return { head };
  },
});

const sessionOf = ({ tenantId, sessionId }: SessionRef): SessionRef => ({ tenantId, sessionId });

const placeOf = ({ turnId, undoId, call: { step, callId, tool } }: UndoToolInput) => ({ undoId, turnId, step, callId, tool });

/** In the ledger; once for each request, so that one that failed can be made again. */
const refOf = ({ tenantId, sessionId, turnId, undoId, call: { step, callId, tool } }: UndoToolInput) => ({ tenantId, sessionId, turnId, step, callId, undoId, tool: `The undo of ${tool}` });

/** What the log has of a turn, and of taking it back: batches are found by their keys. */
async function logOf({ log }: SessionStepDeps, { turnId, ...input }: UndoInput): Promise<SessionEvent[]> {
  const events: SessionEvent[] = [];
  for await (const { firstSeq, count, key } of log.outline(sessionOf(input)))
    if (key.startsWith(`${turnId}/`) || key.startsWith(batchKeys.undo(turnId))) events.push(...(await log.read(sessionOf(input), { after: firstSeq - 1, upTo: firstSeq + count - 1 })));
  return events;
}

/** Where the log says that the call was taken back, or that this request has failed to. */
async function resultOf({ log }: SessionStepDeps, { turnId, undoId, upTo, call: { step, callId }, ...input }: UndoToolInput): Promise<number | undefined> {
  for (const key of [batchKeys.callUndone(turnId, step, callId), batchKeys.undoFailed(turnId, step, callId, undoId)]) {
    const found = await log.find(sessionOf(input), { after: upTo, key });
    if (found) return found.at(-1)?.seq ?? upTo;
  }
  return undefined;
}

/** How the call is taken back. What the agent may not use any more cannot be. */
async function undoingOf({ log }: SessionStepDeps, { agent, toolbox }: Equipped, input: UndoToolInput): Promise<Undoing | 'nothing' | undefined> {
  const { tool, doneAt } = input.call;
  const [done] = await log.read(sessionOf(input), { after: doneAt - 1, upTo: doneAt });
  if (done?.type !== 'tool.completed' || !agent.tools.includes(tool)) return undefined;
  return toolbox.find(tool)?.undoing({ input: await inputOf(log, input), output: done.output });
}

/** @throws DomainError `tool/no-undo`, `tool/denied` */
function mustBeAllowed({ agent, toolbox }: Equipped, { call: { tool } }: UndoToolInput, undoing: Undoing | undefined): asserts undoing is Undoing {
  if (!undoing) throw new DomainError('tool/no-undo', `${tool} cannot be taken back: it has no undo, or is no tool of the agent any more, or nobody knows whether it was done.`);
  if (undoing.by && rulingAmong(toolbox, agent.approvals, undoing.by).decision === 'deny') throw new DomainError(deniedByPolicy.code, `The policy does not allow ${undoing.by.tool}, which is to take it back.`);
}

async function writeFailure(deps: SessionStepDeps, input: UndoToolInput, failure: { code: string; message: string }): Promise<Recorded> {
  const { turnId, undoId, upTo, call: { step, callId } } = input;
  const { head } = await record(deps, input, { after: upTo, key: batchKeys.undoFailed(turnId, step, callId, undoId), events: [{ type: 'tool.undo-failed', ...placeOf(input), ...failure }] });
  return { head };
}
