import { setTimeout as delay } from 'node:timers/promises';
import { codeOf, type ErrorCode } from '../../src/contracts/errors';
import type { OnBusy, SessionRef } from '../../src/contracts/session';
import type { Draw } from '../../src/local/model/hostile';
import type { Sessions } from '../../src/ports/sessions';
import type { FuzzedLog } from './log';

const userId = 'user-1';
/** Temporal takes ten at a time. */
const mostAtOnce = 6;
/** As callers do it who are told that their request may be repeated. */
const tries = 4;
const pauseMs = 100;
const source = { sessionId: 'another', turnId: 'turn-0', upTo: 1 };

/** What is sent to one session, and what came of it. */
export class Moves {
  /** In order, with the answers: to be read by whoever looks for the cause. */
  readonly sent: string[] = [];
  readonly problems: string[] = [];
  readonly takenTurns = new Set<string>();
  /** Whether its tenant is suspended, as far as was said. */
  isHeld = false;
  private readonly onTheirWay = new Set<Promise<void>>();
  private readonly startedAtMs = performance.now();
  private readonly raised = new Set<number>();
  private turns = 0;
  /** Whether requests may hear that it is closed. */
  private mayBeClosed = false;

  /** @param cancelWorkflow - as an operator does it in Temporal. */
  constructor(
    private readonly sessions: Sessions,
    private readonly session: SessionRef,
    private readonly log: FuzzedLog,
    private readonly cancelWorkflow: () => Promise<unknown>,
  ) {}

  /** Its first request: it is a fork of another session, or begins with a message. */
  async begin(draw: Draw): Promise<void> {
    if (draw(6) === 0) await this.ask('fork', () => this.sessions.fork(this.session, { userId }, source));
    else await this.submit('enqueue');
  }

  /** Sends something, and does not wait for the answer, unless too many are waited for. */
  async make(draw: Draw, isRested: boolean): Promise<void> {
    const chosen = isRested && draw(2) === 0 ? () => this.submit(onBusys[draw(onBusys.length)] ?? 'enqueue') : this.choose(draw);
    const asked = chosen().finally(() => this.onTheirWay.delete(asked));
    this.onTheirWay.add(asked);
    if (this.onTheirWay.size >= mostAtOnce) await Promise.race(this.onTheirWay);
  }

  async allAnswered(): Promise<void> {
    await Promise.all(this.onTheirWay);
  }

  /** Ends it, in one of both ways. */
  end(draw: Draw): Promise<void> {
    this.mayBeClosed = true;
    if (draw(4) === 0) return this.tell('cancel the workflow', () => this.cancelWorkflow().then(() => undefined));
    return this.tell('close', () => this.sessions.close(this.session));
  }

  hold(at: 'turn' | 'step'): Promise<void> {
    this.isHeld = true;
    return this.tell(`hold at ${at}`, () => this.sessions.hold(this.session, at));
  }

  release(): Promise<void> {
    this.isHeld = false;
    return this.tell('release', () => this.sessions.release(this.session));
  }

  /** Says what asks for nothing. */
  async fidget(draw: Draw): Promise<void> {
    if (draw(2) === 0) return this.raise(0);
    await this.hold('turn');
    if (draw(2) === 0) await delay(draw(50));
    await this.release();
  }

  /** Says whatever it waits for, as its log tells. */
  async satisfy(): Promise<void> {
    for (const { seq } of this.log.of('budget.exhausted').filter((refusal) => !this.raised.has(refusal.seq))) {
      this.raised.add(seq);
      await this.raise(0);
    }
    for (const by of ['person-1', 'person-2']) for (const approval of this.log.openApprovals) await this.decide(approval, by, 'approve');
    for (const question of this.log.openQuestions) await this.answer(question);
  }

  /** Whether each message that was taken has been answered, or has joined another. */
  get isQuiet(): boolean {
    const over = new Set([...this.log.of('turn.completed').map(({ turnId }) => turnId), ...this.log.of('turn.steered').map(({ messageId }) => messageId)]);
    return [...this.takenTurns].every((turnId) => over.has(turnId));
  }

  /** A message to a session that has ended. */
  async comeTooLate(): Promise<void> {
    const turnsBefore = this.takenTurns.size;
    await this.submit('enqueue');
    if (this.takenTurns.size > turnsBefore) this.problems.push('a message was taken although the session had closed');
  }

  private choose(draw: Draw): () => Promise<void> {
    const { sessions, session } = this;
    const approval = this.log.openApprovals[draw(3)];
    const question = this.log.openQuestions[draw(2)];
    const ended = this.log.of('turn.completed');
    const end = ended[draw(ended.length)];
    const [onBusy, by, decision, at, turnId] = [onBusys[draw(onBusys.length)] ?? 'enqueue', `person-${draw(3)}`, decisions[draw(decisions.length)] ?? 'approve', draw(2) === 0 ? ('turn' as const) : ('step' as const), `turn-${draw(this.turns + 1)}`];
    const weighted: readonly (readonly [number, () => Promise<void>])[] = [
      [8, () => this.submit(onBusy)],
      [1, () => this.submitAgain(turnId)],
      [1, () => this.ask(`cancel ${turnId}`, () => sessions.cancel(session, turnId), ['turn/not-found'])],
      [1, () => this.ask('cancel', () => sessions.cancel(session))],
      [this.isHeld ? 1 : 3, () => this.hold(at)],
      [this.isHeld ? 8 : 1, () => this.release()],
      [5, () => this.raise(draw(2) * 20)],
      [2, () => this.ask('read', () => sessions.status(session))],
      [1, () => this.ask('fork again', () => sessions.fork(session, { userId }, source), ['session/exists'])],
      [approval ? 6 : 0, () => (approval ? this.decide(approval, by, decision) : Promise.resolve())],
      [question ? 5 : 0, () => (question ? this.answer(question) : Promise.resolve())],
      [end ? 3 : 0, () => (end ? this.undo(end, draw) : Promise.resolve())],
    ];
    let place = draw(weighted.reduce((sum, [weight]) => sum + weight, 0));
    return weighted.find(([weight]) => (place -= weight) < 0)?.[1] ?? (() => this.submit('enqueue'));
  }

  private submit(onBusy: OnBusy): Promise<void> {
    this.turns += 1;
    return this.hand(`turn-${this.turns}`, onBusy);
  }

  private submitAgain(turnId: string): Promise<void> {
    return this.takenTurns.has(turnId) ? this.hand(turnId, 'enqueue') : this.submit('steer');
  }

  private async hand(turnId: string, onBusy: OnBusy): Promise<void> {
    await this.ask(
      `${turnId} ${onBusy}`,
      async () => {
        const { after } = await this.sessions.submit(this.session, { turnId, userId, onBusy });
        this.takenTurns.add(turnId);
        return after;
      },
      ['session/inbox-full', ...(onBusy === 'reject' ? (['session/busy'] as const) : [])],
    );
  }

  private decide({ approvalId, turnId, step }: { approvalId: string; turnId: string; step: number }, by: string, decision: (typeof decisions)[number]): Promise<void> {
    const decisionId = `${approvalId}-${by}-${decision}`;
    return this.ask(`${decision} ${approvalId} by ${by}`, () => this.sessions.decideApproval(this.session, { approvalId, decisionId, by, decision, turnId, step }), ['approval/closed', 'approval/own-request', 'approval/already-voted']);
  }

  private answer({ questionId, turnId, step, callId }: { questionId: string; turnId: string; step: number; callId: string }): Promise<void> {
    return this.ask(`answer ${questionId}`, () => this.sessions.answerQuestion(this.session, { questionId, answerId: `ans-${questionId}`, userId, turnId, step, callId }), ['question/closed']);
  }

  private undo({ turnId, seq: upTo }: { turnId: string; seq: number }, draw: Draw): Promise<void> {
    const undoId = `undo-${turnId}-${draw(2)}`;
    return this.ask(undoId, () => this.sessions.undo(this.session, { undoId, turnId, userId, upTo }), ['session/inbox-full']);
  }

  private raise(heardAfterMs: number): Promise<void> {
    return this.tell('raise', () => this.sessions.budgetChanged(this.session, heardAfterMs));
  }

  /** A signal: nobody answers it. */
  private tell(what: string, signal: () => Promise<void>): Promise<void> {
    return this.ask(what, signal);
  }

  /** Sends it until it has an answer. @param refusals - what it may be refused with, but for a session that is closed. */
  private async ask(what: string, request: () => Promise<unknown>, refusals: readonly ErrorCode[] = []): Promise<void> {
    const line = this.sent.push(`${((performance.now() - this.startedAtMs) / 1_000).toFixed(3)} s: ${what}`) - 1;
    const came = (answer: string) => (this.sent[line] = `${this.sent[line]} → ${answer}`);
    for (let left = tries; left > 0; left -= 1) {
      const outcome = await request().then(
        (answer) => ({ answer: answer === undefined ? 'done' : JSON.stringify(answer), code: undefined }),
        (error: unknown) => ({ answer: codeOf(error) ?? String(error), code: codeOf(error) ?? 'internal/bug' }),
      );
      came(outcome.answer);
      if (outcome.code === undefined || refusals.includes(outcome.code) || (outcome.code === 'session/closed' && this.mayBeClosed)) return;
      if (outcome.code !== 'dependency/unavailable') return void this.problems.push(`"${what}" was answered ${outcome.answer}`);
      await delay(pauseMs);
    }
    this.problems.push(`"${what}" has no answer`);
  }
}

const onBusys = ['enqueue', 'enqueue', 'enqueue', 'steer', 'interrupt', 'reject'] as const satisfies OnBusy[];
const decisions = ['approve', 'approve', 'approve', 'deny', 'edit'] as const;
