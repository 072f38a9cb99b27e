import type { QuestionRecord, QuestionState } from '../contracts/question';
import type { SessionRef } from '../contracts/session';

/** What users were asked in their sessions, as lists show it. The log is the truth; this follows it, by the same activities. */
export interface Questions {
  /** Lists one as waiting. One that is listed already stays as it is, ended or not. */
  open(record: QuestionRecord): Promise<void>;
  /** Notes how one ended. One that has ended stays as it ended, one that is not listed is left alone. */
  end(session: SessionRef, questionId: string, how: { state: Exclude<QuestionState, 'waiting'>; at: string; answerId?: string }): Promise<void>;
  get(session: SessionRef, questionId: string): Promise<QuestionRecord | undefined>;
  /** Of one session, in no order. */
  ofSession(session: SessionRef): Promise<QuestionRecord[]>;
}
