import { condition } from '@temporalio/workflow';
import { codeOf } from '../contracts/errors';
import * as domain from '../domain/session';
import { Desk } from './desk';
import type { OpenSession } from './open-session';
import { refusal } from './refusal';

/** What a refused decision says. */
const refusals: Readonly<Record<domain.DecisionRefusal, string>> = {
  'approval/closed': 'This approval no longer waits for a decision.',
  'approval/own-request': 'The policy asks for somebody else than who requested this.',
  'approval/already-voted': 'You have approved this already: it takes somebody else.',
};

/**
 * Where people's decisions arrive. One after the other: what was decided is in the log before the next is looked at. Approvals
 * that nobody decides expire, and whom the tenant named is told of each.
 */
export class ApprovalDesk {
  private readonly desk: Desk;

  constructor(private readonly session: OpenSession) {
    this.desk = new Desk(session);
  }

  /** Whether no decision is on its way into the log. */
  get isIdle(): boolean {
    return this.desk.isIdle;
  }

  /** Watches over approvals that are new, or new to this run. */
  attend(): void {
    for (const { approval } of domain.waitingCalls(this.session.state)) if (this.watch(approval.approvalId) && approval.notify) void this.notify(approval.approvalId);
  }

  /** Lets in what may come to something: of what is being asked, or edited just now, the workflow has not heard yet. @throws as {@link refuse} */
  check(decision: domain.Decision): void {
    if (this.isIdle && !domain.isBeingAsked(this.session.state, decision)) this.refuse(decision);
  }

  /** @throws ApplicationFailure with the code of a {@link refusals} when the decision comes to nothing. */
  private refuse(decision: domain.Decision): void {
    const code = domain.isTaken(this.session.state, decision) ? undefined : domain.refusalOf(this.session.state, decision);
    if (code) throw refused(code);
  }

  /** Returns when the decision is in the log; a repeated one changes nothing. */
  decide(decision: domain.Decision): Promise<void> {
    return this.desk.inOrder(async () => {
      await this.session.hearing.run(() => this.hear(decision));
      // What is asked for anew waits no longer than the session.
      this.attend();
    });
  }

  private async hear(decision: domain.Decision): Promise<void> {
    await condition(() => !domain.isBeingAsked(this.session.state, decision));
    this.refuse(decision);
    const call = domain.waitingCall(this.session.state, decision.approvalId);
    if (call && !domain.isTaken(this.session.state, decision)) await this.record(call, domain.weigh(call, decision), decision);
  }

  private async record(call: domain.WaitingCall, { votes, verdict }: domain.Weighed, decision?: domain.Decision): Promise<void> {
    const { approvalId } = call.approval;
    const { head, next } = await this.session.activities
      .decideApproval({ ...this.placeOf(call), by: deciders(votes, verdict), ...(verdict && { verdict }), ...(decision && { decision }) })
      .catch((error: unknown) => {
        // The turn was stopped a moment earlier: that stands.
        throw codeOf(error) === 'turn/ended' ? refused('approval/closed') : error;
      });
    const { state } = this.session;
    this.session.state = verdict
      ? domain.settle(state, { approvalId, verdict, decisionIds: votes.map(({ decisionId }) => decisionId), head, ...(next && { next }) })
      : domain.recordVote(state, approvalId, votes, head);
  }

  /** @returns whether it is new. */
  private watch(approvalId: string): boolean {
    return this.desk.watch(
      approvalId,
      () => domain.waitingCall(this.session.state, approvalId)?.approval,
      () => this.decideForNobody(approvalId),
    );
  }

  private async decideForNobody(approvalId: string): Promise<void> {
    const call = domain.waitingCall(this.session.state, approvalId);
    if (call) await this.record(call, { votes: [], verdict: call.approval.onExpiry === 'approve' ? 'approved' : 'denied' });
  }

  /** Never in the way of the turn; tried until the approval expires, and given up with it. */
  private async notify(approvalId: string): Promise<void> {
    const call = domain.waitingCall(this.session.state, approvalId);
    if (!call) return;
    try {
      // The run before may have noted it without having heard of that: behind the turn's beginning it is found.
      const after = this.session.state.turnStarts.at(-1) ?? 0;
      const { head } = await this.session.activities.notifyApproval(Math.max(1, call.approval.expiresAtMs - Date.now()), { ...this.placeOf(call), after });
      this.session.state = domain.recordNotice(this.session.state, approvalId, head);
    } catch {
      // The log shows no notice: whoever waited for one finds the approval in the list.
    }
  }

  private placeOf({ callId, tool, approval: { approvalId } }: domain.WaitingCall) {
    const { turnId = '', step = 0, configVersion = 0 } = this.session.state.current ?? {};
    return { ...this.session.ref, userId: this.session.userId, turnId, step, callId, tool, approvalId, configVersion, after: this.session.state.head };
  }
}

/** All who approved; of a denial or an edit the one who made it. */
const deciders = (votes: domain.Weighed['votes'], verdict: domain.Verdict | undefined): string[] =>
  (verdict === 'approved' ? votes : votes.slice(-1)).map(({ by }) => by);

const refused = (code: domain.DecisionRefusal) => refusal(code, refusals[code]);
