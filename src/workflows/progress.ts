import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  log,
  patched,
  rootCause,
  setCurrentDetails,
  setHandler,
  TemporalFailure,
  TimeoutFailure,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { codeOf, type ErrorCode, errors, publicFailure } from '../contracts/errors';
import { type OperationKind, type OperationState, type StepName } from '../contracts/names';
import type { Operation, OperationInput, StepState } from '../contracts/operation';
import * as domain from '../domain/operation';
import type { RestingStep } from '../activities/lifecycle/alarms';
import { auditOperationEnd, reportStuck } from './lifecycle-activities';
import { awaitAcceptance, cancelOperation, readOperation } from './operation-definitions';
import { refusal } from './refusal';
import { saga, type Undo } from './saga';
import { operationStateKey } from './search-attributes';
import { listenForRetries } from './until-done';

/**
 * A running operation: carries its steps out as a saga, shows each to the API (query) and to operators (current
 * details), and answers those who wait for it or cancel it.
 */
export class OperationRun<Kind extends OperationKind> {
  private operation: Operation;
  private isIrrevocable = false;
  private register: (undo: Undo<StepName<Kind>>) => void = () => undefined;
  private readonly workflowScope = CancellationScope.current();
  private readonly scope = new CancellationScope();
  private readonly retries = listenForRetries();

  /** Call it before anything is awaited: it sets the workflow's handlers. */
  constructor(kind: Kind, { operationId, request: { tenantId } }: OperationInput<Kind>) {
    this.operation = domain.beginOperation({ operationId, kind, tenantId, at: now() });
    setHandler(readOperation, () => this.operation);
    setHandler(awaitAcceptance, () => this.accepted(), { validator: refuseOtherRequest });
    setHandler(cancelOperation, () => this.cancel(), { validator: () => this.refuseLateCancel() });
  }

  /**
   * Runs the body; whatever its steps did is undone when one fails or the operation is cancelled.
   * @returns the operation, also when it was cancelled by update.
   * @throws ApplicationFailure with the failed step's code, CancelledFailure when the workflow itself was cancelled.
   */
  async conduct(body: () => Promise<void>): Promise<Operation> {
    try {
      await this.scope.run(() =>
        saga<StepName<Kind>>(
          (register) => {
            this.register = register;
            return body();
          },
          { begin: (error) => this.beginUndoing(error), undo: (undo) => this.undo(undo) },
        ),
      );
    } catch (error) {
      if (!(error instanceof TemporalFailure)) throw error;
      return await this.endUndone(error);
    }
    return this.end('completed');
  }

  /**
   * Runs a step of the body: idempotent attempts, until one succeeds or cannot, or the step's time is up. Its undo is
   * registered first: a step that fails may still have taken effect.
   */
  async step<T>(name: StepName<Kind>, attempt: () => Promise<T>, undo?: () => Promise<void>): Promise<T> {
    if (undo) this.register({ step: name, run: undo });
    this.advance(name, 'running', { attempt: 1 });
    try {
      const result = await this.retries.within(domain.stepDeadlineMs(name), attempt, (failed) =>
        this.advance(name, 'running', { attempt: failed.attempt + 1, error: failureOf(failed.error).message }),
      );
      this.advance(name, 'completed');
      return result;
    } catch (error) {
      this.advance(name, 'failed', { error: failureOf(error).message });
      throw error;
    }
  }

  /**
   * As {@link step}, for what may be switched off: an attempt answers whether it did anything, and a step that did not is
   * skipped. Its undo runs all the same: an earlier attempt may have found other settings.
   */
  async optional(name: StepName<Kind>, attempt: () => Promise<boolean>, undo: () => Promise<void>): Promise<void> {
    if (!(await this.step(name, attempt, undo))) this.skip(name);
  }

  /** As {@link step}, for what the operation can do without: should it fail, the step shows why, and the operation goes on. */
  async forgoable(name: StepName<Kind>, attempt: () => Promise<unknown>): Promise<void> {
    try {
      await this.step(name, attempt);
    } catch (error) {
      if (!(error instanceof TemporalFailure) || isCancellation(error)) throw error;
    }
  }

  /** Runs a step that can only go forward, until it succeeds. */
  async insist<T>(name: StepName<Kind>, attempt: () => Promise<T>): Promise<T> {
    return this.untilDone(name, attempt, { trying: 'running', resting: 'stuck', done: 'completed' });
  }

  skip(name: StepName<Kind>): void {
    this.advance(name, 'skipped');
  }

  /** The point of no return: what follows cannot be cancelled. @throws CancelledFailure when it was cancelled before. */
  async irrevocably(rest: () => Promise<void>): Promise<void> {
    if (this.scope.consideredCancelled) throw new CancelledFailure('Cancelled before the point of no return');
    this.isIrrevocable = true;
    await CancellationScope.nonCancellable(rest);
  }

  /** Shows what a step found out. */
  note(facts: Partial<Pick<Operation, 'backupId' | 'sessions' | 'cancellableUntil' | 'comparison' | 'erasure'>>): void {
    this.operation = { ...this.operation, ...facts };
  }

  private async accepted(): Promise<Operation> {
    await condition(() => domain.isAnswerable(this.operation));
    const refused = domain.refusalOf(this.operation);
    if (refused) throw ApplicationFailure.nonRetryable(refused.message, refused.code);
    return this.operation;
  }

  private cancel(): Operation {
    this.scope.cancel();
    return this.operation;
  }

  /** Cancelling again is fine. */
  private refuseLateCancel(): void {
    if (this.scope.consideredCancelled) return;
    if (this.isIrrevocable || this.operation.state !== 'running')
      throw refusal('operation/not-cancellable', 'It is too late: what was begun can no longer be taken back, or is being taken back already.');
  }

  private beginUndoing(error: unknown): void {
    this.show(domain.beginUndoing(this.operation, this.scope.consideredCancelled ? undefined : failureOf(error)));
  }

  private async undo({ step, run }: Undo<StepName<Kind>>): Promise<void> {
    await this.untilDone(step, run, { trying: 'undoing', resting: 'undo_failed', done: 'undone' });
  }

  private async untilDone<T>(step: StepName<Kind>, attempt: () => Promise<T>, states: Record<'trying' | 'resting' | 'done', StepState>): Promise<T> {
    this.advance(step, states.trying, { attempt: 1 });
    const result = await this.retries.untilDone(attempt, (failed) => {
      const error = failureOf(failed.error).message;
      if (!failed.isResting) this.advance(step, states.trying, { attempt: failed.attempt + 1, error });
      else {
        this.advance(step, states.resting, { attempt: failed.attempt, error });
        this.callForHelp({ step, state: states.resting, attempt: failed.attempt, error });
      }
    });
    this.advance(step, states.done);
    return result;
  }

  /** The operation as it is now. */
  get current(): Operation {
    return this.operation;
  }

  /** Beside the operation: that nobody could be called must not hold it up. Operations that came to rest before go on without. */
  private callForHelp(resting: Pick<RestingStep, 'step' | 'state' | 'attempt' | 'error'>): void {
    if (!patched(calledForHelp)) return;
    const { operationId, kind, tenantId } = this.operation;
    CancellationScope.nonCancellable(() => reportStuck({ operationId, kind, tenantId, ...resting })).catch((error: unknown) =>
      log.warn('nobody could be called', { cause: rootCause(error) }),
    );
  }

  private async endUndone(error: TemporalFailure): Promise<Operation> {
    const ended = await this.end(this.scope.consideredCancelled ? 'cancelled' : 'undone');
    if (this.workflowScope.consideredCancelled) throw new CancelledFailure('Cancelled; what had been done is undone');
    if (ended.error) throw ApplicationFailure.create({ type: ended.error.code, message: ended.error.message, nonRetryable: true, cause: error });
    return ended;
  }

  private async end(state: OperationState): Promise<Operation> {
    this.show(domain.conclude(this.operation, state, now()));
    if (patched(audited)) await CancellationScope.nonCancellable(() => this.audit());
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    return this.operation;
  }

  private audit(): Promise<void> {
    const { operationId, kind, tenantId, state, error, finishedAt: at = now() } = this.operation;
    return auditOperationEnd({ operationId, kind, tenantId, state, at, ...(error && { error: { code: error.code } }) });
  }

  private advance(step: StepName<Kind>, state: StepState, detail: { attempt?: number; error?: string } = {}): void {
    this.show(domain.advance(this.operation, { step, state, at: now(), ...detail }));
  }

  private show(operation: Operation): void {
    const before = domain.searchableStateOf(this.operation);
    this.operation = operation;
    setCurrentDetails(domain.toMarkdown(operation));
    const state = domain.searchableStateOf(operation);
    if (state !== before && patched(searchableState)) upsertSearchAttributes([{ key: operationStateKey, value: state }]);
  }
}

const calledForHelp = 'stuck-alarm';
/** Operations that ended before there was an audit log go on without. */
const audited = 'operation-audited';
/** Operations that began before it could be searched for go on without. */
const searchableState = 'searchable-state';

/** Deterministic: a workflow's clock is the history's. */
const now = (): string => new Date().toISOString();

/** Operators read this: a failure nobody expected shows its own words. */
function failureOf(error: unknown): { code: ErrorCode; message: string } {
  if (codeOf(error)) return publicFailure(error, 'internal/bug');
  if (isCancellation(error)) return { code: 'internal/bug', message: 'Cancelled' };
  if (error instanceof Error && error.cause instanceof TimeoutFailure)
    return { code: 'dependency/unavailable', message: 'It was not done in time.' };
  return { code: 'internal/bug', message: rootCause(error) ?? errors['internal/bug'].title };
}

function refuseOtherRequest({ requestDigest }: { requestDigest: string }): void {
  if (workflowInfo().memo?.['requestDigest'] !== requestDigest)
    throw refusal('idempotency/key-reused', 'This operation was started with another request: use a new Idempotency-Key.');
}
