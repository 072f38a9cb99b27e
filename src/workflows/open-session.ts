import type { CancellationScope } from '@temporalio/workflow';
import type { SessionRef } from '../contracts/session';
import type { SessionState } from '../domain/session';
import type { SessionInput } from './definitions';
import type { sessionActivities } from './session-activities';

/** A session as what works on it beside its turns sees it: whose it is, where it stands, and what can be done for it. */
export interface OpenSession {
  /** What every activity is told: which session it is, and which agent it keeps to. */
  readonly ref: SessionRef & Pick<SessionInput, 'agent'>;
  readonly userId: string;
  /** Replaced with each change. */
  state: SessionState;
  readonly activities: ReturnType<typeof sessionActivities>;
  /** In which what people say gets into the log, whatever becomes of turn and workflow: who said it hears of it. */
  readonly hearing: CancellationScope;
}
