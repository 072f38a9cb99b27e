import { condition } from '@temporalio/workflow';
import { codeOf } from '../contracts/errors';
import * as domain from '../domain/session';
import { Desk } from './desk';
import type { OpenSession } from './open-session';
import { refusal } from './refusal';

/** Where the user's answers arrive. Questions that nobody answers expire. */
export class QuestionDesk {
  private readonly desk: Desk;

  constructor(private readonly session: OpenSession) {
    this.desk = new Desk(session);
  }

  /** Whether no answer is on its way into the log. */
  get isIdle(): boolean {
    return this.desk.isIdle;
  }

  /** Watches over questions that are new, or new to this run. */
  attend(): void {
    for (const { question } of domain.askingCalls(this.session.state)) this.watch(question.questionId);
  }

  /** Lets in what may come to something: of a question that is being put, the workflow has not heard yet. @throws ApplicationFailure `question/not-found`, `question/closed` */
  check(answer: domain.GivenAnswer): void {
    if (answer.userId !== this.session.userId) throw refusal('question/not-found', 'There is no such question in this session.');
    if (this.isIdle && !domain.isBeingPut(this.session.state, answer) && !domain.askingCall(this.session.state, answer.questionId)) throw closed();
  }

  /** Returns when the answer is in the log. @throws ApplicationFailure `question/closed` */
  answer(answer: domain.GivenAnswer): Promise<void> {
    return this.desk.inOrder(() => this.session.hearing.run(() => this.hear(answer)));
  }

  private async hear(answer: domain.GivenAnswer): Promise<void> {
    await condition(() => !domain.isBeingPut(this.session.state, answer));
    const call = domain.askingCall(this.session.state, answer.questionId);
    if (!call) throw closed();
    await this.record(call, answer.answerId);
  }

  private async record({ callId, tool, question: { questionId, askedAt } }: domain.AskingCall, answerId?: string): Promise<void> {
    const { turnId = '', step = 0 } = this.session.state.current ?? {};
    const { head } = await this.session.activities
      .settleQuestion({ ...this.session.ref, turnId, step, callId, tool, questionId, askedAt, after: this.session.state.head, ...(answerId !== undefined && { answerId }) })
      .catch((error: unknown) => {
        // The turn was stopped a moment earlier: that stands.
        throw codeOf(error) === 'turn/ended' ? closed() : error;
      });
    this.session.state = domain.settleQuestion(this.session.state, questionId, head);
  }

  private watch(questionId: string): void {
    const asking = () => domain.askingCall(this.session.state, questionId);
    this.desk.watch(
      questionId,
      () => asking()?.question,
      async () => {
        const call = asking();
        if (call) await this.record(call);
      },
    );
  }
}

const closed = () => refusal('question/closed', 'This question no longer waits for an answer.');
