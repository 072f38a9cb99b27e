import { CancellationScope, condition, isCancellation, patched } from '@temporalio/workflow';
import type { UsedTool } from '../activities/session/use-tool';
import { codeOf, publicFailure } from '../contracts/errors';
import type { Errand } from '../contracts/session';
import type { CompactionPlan } from '../domain/compaction';
import * as domain from '../domain/session';
import { ApprovalDesk } from './approvals';
import type { OpenedErrand } from '../activities/session/errands';
import { BudgetWatch } from './budget-watch';
import type { ForkSource, SessionInput, SubmittedMessage, UndoRequest } from './definitions';
import { runErrand } from './errands';
import { FactDesk } from './fact-desk';
import type { OpenSession } from './open-session';
import { isOutOfTime, toolFailure } from './out-of-time';
import { QuestionDesk } from './questions';
import { sessionActivities } from './session-activities';
import { carryOutUndo } from './undo';

/** A call that runs, as its activities are told. */
interface ToolUse {
  readonly turnId: string;
  readonly step: number;
  readonly call: domain.OpenCall;
  readonly after: number;
}

/** Holds a session's state and carries out, as activities on the tenant's queue, what the domain decides. */
export class Conversation implements OpenSession {
  state: domain.SessionState;
  readonly ref: OpenSession['ref'];
  readonly userId: string;
  readonly activities: OpenSession['activities'];
  readonly approvals: ApprovalDesk;
  readonly questions: QuestionDesk;
  readonly facts: FactDesk;
  private readonly budget = new BudgetWatch(this);
  /** What it was opened for: it bounds what steps and tools may do. */
  private readonly onErrand: { readonly errand?: Errand };
  /** What cancelling a turn stops, over all of its steps. */
  private turnScope = { turnId: '', scope: new CancellationScope() };
  /** What is waited for whatever becomes of the turn. */
  private readonly shielded = new CancellationScope({ cancellable: false });
  private readonly announcing = new CancellationScope({ cancellable: true, parent: this.shielded });
  readonly hearing = new CancellationScope({ cancellable: true, parent: this.shielded });
  /** Whether waiting messages are being written into the log. */
  isAnnouncing = false;
  /** Whether it has all it begins with: a fork gets that first. */
  isBegun: boolean;
  /** Where its log has closed before, whatever was written behind: closing it again finds that. */
  private closedBehind: number | undefined;

  constructor(private readonly input: SessionInput) {
    const { tenantId, sessionId, userId, agent, errand } = input;
    this.state = input.state ?? (errand ? domain.newErrand(errand, Date.now()) : domain.newSession);
    this.onErrand = errand ? { errand } : {};
    this.isBegun = input.fork === undefined || input.state !== undefined;
    this.ref = { tenantId, sessionId, ...(agent && { agent }) };
    this.userId = userId;
    this.activities = sessionActivities(tenantId);
    this.approvals = new ApprovalDesk(this);
    this.approvals.attend();
    this.questions = new QuestionDesk(this);
    this.questions.attend();
    this.facts = new FactDesk(this);
    this.facts.attend();
    this.budget.attend();
  }

  /** Whether no turn is under way, and a message waits for one. */
  get hasNextMessage(): boolean {
    return !this.state.current && this.state.inbox.length > 0;
  }

  /** Whether nothing is on its way into the log: the next run can go on from the state, in the middle of a turn, too. */
  get isSettled(): boolean {
    return !this.isAnnouncing && this.approvals.isIdle && this.questions.isIdle;
  }

  async begin(): Promise<void> {
    const { fork } = this.input;
    if (!fork) return;
    await this.activities.copySession({ ...this.ref, userId: this.userId, fork });
    await this.pickUp();
    this.isBegun = true;
  }

  /** Whether this session is a fork of that, once it has all it begins with. */
  async forked({ sessionId, turnId }: ForkSource): Promise<boolean> {
    const { fork } = this.input;
    if (fork?.sessionId !== sessionId || fork.turnId !== turnId) return false;
    await condition(() => this.isBegun);
    return true;
  }

  next(): domain.Action {
    this.state = domain.beginTurn(this.state, Date.now());
    const action = domain.nextAction(this.state);
    if (action.do === 'wait') return action;
    this.state = domain.wake(this.state, Date.now());
    if (action.do === 'think') this.state = domain.takeSteering(this.state);
    return domain.nextAction(this.state);
  }

  carryOut(action: Exclude<domain.Action, { do: 'wait' }>): Promise<void> {
    switch (action.do) {
      case 'think':
        return this.inTurn(action.turn, () => this.think(action.turn));
      case 'compact':
        return this.inTurn(action.turn, () => this.compact(action.turn, action.plan));
      case 'useTools':
        return this.inTurn(action.turn, () => this.useTools(action.turn.turnId));
      case 'undo':
        return this.undo(action.undo);
      case 'endTurn':
        return this.endTurn(action.turn, action.end);
      case 'close':
        return this.finish();
    }
  }

  take(message: SubmittedMessage): { after: number } {
    const earlier = domain.takenAt(this.state, message.turnId);
    if (earlier !== undefined) return { after: earlier };
    const after = this.state.head;
    this.state = domain.take(this.state, message);
    if (message.onBusy === 'interrupt') this.turnScope.scope.cancel();
    // Whatever becomes of the session: it closes once that is done.
    void this.announcing.run(() => this.announce());
    return { after };
  }

  /** Only of a run of before, whose cancellation reached that, too. */
  stopAnnouncing(): void {
    if (this.isAnnouncing && !patched('announces-to-the-end')) this.announcing.cancel();
  }

  /** Only of a run of before, whose cancellation reached that, too. */
  stopHearing(): void {
    if (!(this.approvals.isIdle && this.questions.isIdle) && !patched('hears-to-the-end')) this.hearing.cancel();
  }

  takeBack(request: UndoRequest): { after: number } {
    this.state = domain.requestUndo(this.state, request);
    return { after: this.state.head };
  }

  /** @returns false when there is no such turn. One that has ended stays as it ended. */
  cancel(turnId: string | undefined): boolean {
    const running = this.state.current !== undefined && (turnId ?? this.state.current.turnId) === this.state.current.turnId;
    this.state = domain.cancelTurn(this.state, turnId);
    if (running) this.turnScope.scope.cancel();
    return running || (turnId !== undefined && domain.takenAt(this.state, turnId) !== undefined);
  }

  close(): void {
    this.state = domain.close(this.state);
  }

  hold(at: domain.RestPoint): void {
    this.state = domain.hold(this.state, at, Date.now());
    this.facts.pause();
  }

  release(): void {
    this.state = domain.release(this.state, Date.now());
    this.facts.attend();
  }

  budgetChanged(heardAfterMs: number): void {
    if (domain.budgetPause(this.state) || patched('budget-changed-early')) this.state = domain.budgetChanged(this.state, Date.now() + heardAfterMs);
  }

  /** Nothing is to be done now. */
  rest(): void {
    this.state = domain.rest(this.state, Date.now());
  }

  /** Makes waiting messages visible while another turn runs. */
  private async announce(): Promise<void> {
    if (this.isAnnouncing) return;
    this.isAnnouncing = true;
    for (let turnIds = domain.unannounced(this.state); turnIds.length > 0; turnIds = domain.unannounced(this.state)) {
      this.state = domain.announce(this.state, turnIds, 'pending');
      const { head } = await this.activities.announceTurns({ ...this.ref, turnIds, after: this.state.head });
      this.state = domain.advance(domain.announce(this.state, turnIds, 'done'), head);
    }
    this.isAnnouncing = false;
  }

  private think(turn: domain.CurrentTurn): Promise<void> {
    return this.thinkFrom(turn).catch(async (error: unknown) => {
      await this.pickUpIfUnread(error);
      // What the log held was this very turn, or the end of the session: then there is nothing to think of.
      const { current } = this.state;
      if (current?.turnId === turn.turnId && !current.end) await this.thinkFrom(turn);
    });
  }

  /** @throws the error, when it is another one. */
  private async pickUpIfUnread(error: unknown): Promise<void> {
    if (codeOf(error) !== 'log/unread') throw error;
    await this.pickUp();
  }

  /** The session was restored: its log says where it stands. */
  private async pickUp(): Promise<void> {
    const known = [this.state.current?.turnId ?? [], this.state.inbox.map(({ turnId }) => turnId)].flat();
    const picked = await this.activities.pickUpSession({ ...this.ref, known });
    this.state = domain.pickUp(this.state, picked);
    if (picked.isClosed) this.closedBehind = picked.head;
    if (picked.isClosed && !patched('end-turns-of-closed')) this.state = domain.withoutTurns(this.state);
  }

  private async thinkFrom({ turnId, step, announced, startedAtMs, configVersion, steering, outOfBudget, compacting, factsAt }: domain.CurrentTurn): Promise<void> {
    const thought = await this.activities.think(this.timeLeftMs(startedAtMs), {
      ...this.ref,
      ...this.onErrand,
      userId: this.userId,
      turnId,
      step,
      announced,
      ...this.historyRange(),
      ...(steering && { steering }),
      ...(outOfBudget && { resumed: true }),
      ...(compacting && { compacted: true }),
      ...(factsAt !== undefined && { factsAt }),
      ...(configVersion !== undefined && { configVersion }),
    });
    const { current } = this.state;
    this.state = domain.recordThought(this.state, thought, Date.now());
    if (thought.extract && current && patched('extract-facts')) this.extractFacts(current);
    this.approvals.attend();
    this.budget.attend();
  }

  /** The conversation has become too long for the model: what is older gets a summary. */
  private async compact({ turnId, step, startedAtMs, configVersion, outOfBudget }: domain.CurrentTurn, plan: CompactionPlan): Promise<void> {
    const compacted = await this.activities.compact(this.timeLeftMs(startedAtMs), {
      ...this.ref,
      ...this.onErrand,
      userId: this.userId,
      turnId,
      step,
      ...this.historyRange(),
      plan,
      ...(outOfBudget && { resumed: true }),
      ...(configVersion !== undefined && { configVersion }),
    });
    this.state = domain.recordCompaction(this.state, plan, compacted, Date.now());
    this.budget.attend();
  }

  private async undo(undo: domain.Undo): Promise<void> {
    this.state = domain.beginUndoing(this.state);
    // The tenant was restored, and nobody has spoken since.
    if (this.state.head === 0) await this.pickUp();
    await carryOutUndo(this, undo);
  }

  private historyRange() {
    const { head: after, compaction } = this.state;
    return { after, historyStart: domain.historyStart(this.state), ...(compaction && { compaction }) };
  }

  /** Runs the calls that wait for nobody, side by side, and those that people approve meanwhile. Returns when none runs. */
  private async useTools(turnId: string): Promise<void> {
    const running = new Set<string>();
    let failure: { readonly error: unknown } | undefined;
    const ready = () => domain.startableCalls(this.state, running);
    const use = async (turn: domain.CurrentTurn, call: domain.OpenCall) => {
      try {
        const { head, question } = await this.useTool(turn, call, this.state.head);
        const place = { turnId, callId: call.callId, head };
        this.state = question ? domain.recordQuestion(this.state, { ...place, question }) : domain.recordResult(this.state, place);
        this.questions.attend();
      } catch (error) {
        failure ??= { error };
      }
      running.delete(call.callId);
    };
    const until = (isSo: () => boolean) => this.shielded.run(() => condition(isSo));
    for (let calls = ready(); calls.length > 0 && !failure; calls = ready()) {
      const { current } = this.state;
      for (const call of calls) {
        running.add(call.callId);
        if (current) void use(current, call);
      }
      await until(() => failure !== undefined || running.size === 0 || ready().length > 0);
    }
    if (!failure) return;
    // The turn ends when no tool works for it any more: those that are left to finish write their own result.
    if (running.size > 0 && patched('settle-tools')) await until(() => running.size === 0);
    throw failure.error;
  }

  /** A tool that fails for good gives the model a result that says so. */
  private async useTool({ turnId, step, startedAtMs, configVersion, unattended }: domain.CurrentTurn, call: domain.OpenCall, after: number): Promise<UsedTool> {
    const use = { ...this.ref, ...this.onErrand, userId: this.userId, turnId, step, call, after, ...(configVersion !== undefined && { configVersion }), ...(unattended && { unattended }) };
    const timeLeftMs = this.timeLeftMs(startedAtMs);
    const run = () => this.activities.useTool(timeLeftMs, use);
    try {
      const used = await (call.finishes ? this.shielded.run(run) : run());
      return used.opened ? await this.haveDone(use, used.opened, used.head) : used;
    } catch (error) {
      if (isCancellation(error)) throw error;
      return this.activities.failTool({ ...use, ...toolFailure(error, { timeoutMs: call.timeoutMs, timeLeftMs }) });
    }
  }

  /** Another agent works on the call. Whatever becomes of the turn, the call gets its result when that has ended. */
  private async haveDone({ turnId, step, call, after }: ToolUse, { agent, errand }: OpenedErrand, head: number): Promise<UsedTool> {
    const { callId, tool, childSessionId = '' } = call;
    const { tenantId, sessionId } = this.ref;
    this.state = domain.recordChild(this.state, { turnId, callId, head }, Date.now());
    const timeLeftMs = () => this.timeLeftMs(this.state.current?.startedAtMs ?? 0);
    await runErrand({ tenantId, sessionId: childSessionId, userId: this.userId, agent, errand }, { sessionId, session: this, timeLeftMs });
    return this.shielded.run(() => this.activities.settleErrand({ ...this.ref, turnId, step, call: { callId, tool, childSessionId }, after }));
  }

  private async endTurn({ turnId, announced, steering }: domain.CurrentTurn, end: domain.TurnEnd): Promise<void> {
    const turnStart = this.state.turnStarts.at(-1) ?? 0;
    try {
      const { head, unseen, completed } = await this.activities.endTurn({ ...this.ref, turnId, announced, after: turnStart, end, ...(steering && { steering }) });
      const { current } = this.state;
      this.state = domain.finishTurn(this.state, head, unseen);
      if (completed && current && patched('facts-of-ended-turns')) this.extractFacts(current);
    } catch (error) {
      // It ended before its first step could find that: it is ended behind its past, unless it is of that.
      await this.pickUpIfUnread(error);
    }
  }

  /** Of a turn that is completed. */
  private extractFacts(turn: domain.CurrentTurn): void {
    this.state = domain.awaitExtraction(this.state, turn, Date.now());
    this.facts.attend();
  }

  private async finish(): Promise<void> {
    await this.facts.finish();
    const close = () => this.activities.closeSession({ ...this.ref, after: this.closedBehind ?? this.state.head });
    try {
      await close();
    } catch (error) {
      await this.pickUpIfUnread(error);
      await close();
    }
  }

  /** Runs one action of the turn so that cancelling stops it; whatever it throws becomes the turn's end. */
  private inTurn({ turnId }: domain.CurrentTurn, action: () => Promise<void>): Promise<void> {
    // Not one for each step: the SDK records of every promise where it was made, in replays, too.
    if (this.turnScope.turnId !== turnId) this.turnScope = { turnId, scope: new CancellationScope() };
    return this.turnScope.scope.run(action).catch((error: unknown) => {
      this.state = domain.requestEnd(this.state, this.endAfter(error));
    });
  }

  private endAfter(error: unknown): domain.TurnEnd {
    if (isCancellation(error)) return { outcome: 'cancelled' };
    if (isOutOfTime(error)) return { outcome: 'timed_out', message: `The turn took longer than ${this.state.limits.maxTurnMs / 1_000} seconds.` };
    return { outcome: 'failed', ...publicFailure(error, 'turn/failed') };
  }

  private timeLeftMs(startedAtMs: number): number {
    return domain.turnTimeLeftMs(this.state, startedAtMs, Date.now());
  }
}
