import { CancellationScope, type ChildWorkflowHandle, condition, getExternalWorkflowHandle, ParentClosePolicy, patched, startChild } from '@temporalio/workflow';
import * as domain from '../domain/session';
import { closeSession, type SessionInput, sessionStart, sessionWorkflow } from './definitions';

type SessionWorkflow = (input: SessionInput) => Promise<void>;

interface Caller {
  readonly sessionId: string;
  /** Whose turn waits for the errand. */
  readonly session: { readonly state: domain.SessionState };
  /** What the turn has left now. */
  readonly timeLeftMs: () => number;
}

/**
 * Has another agent work in a session of its own, a child of this workflow, and returns when that has ended, however it did: its log says. What stops the turn
 * stops it, and so does the end of the turn's time; when this session is to close, it closes as well: after its turn, unless that waits for people. Should this workflow be
 * terminated, the child ends in order, as cancelled: with its own end in its log.
 */
export async function runErrand(input: SessionInput, caller: Caller): Promise<void> {
  const work = new Errand(input, caller);
  await CancellationScope.nonCancellable(() => work.watch());
}

class Errand {
  /** Inside the turn's: cancelled with it. */
  private readonly scope = new CancellationScope();
  private child: ChildWorkflowHandle<SessionWorkflow> | undefined;
  private hasEnded = false;

  constructor(
    private readonly input: SessionInput,
    private readonly caller: Caller,
  ) {
    void this.scope.run(() => this.work()).catch(() => undefined).finally(() => (this.hasEnded = true));
  }

  private async work(): Promise<void> {
    if (!patched('stop-errand-by-id')) {
      await (await this.begin()).result();
      return;
    }
    if (this.scope.consideredCancelled) return;
    await CancellationScope.nonCancellable(async () => {
      const child = await this.begin();
      // By its id: cancelled as a child, only the run would be that it began with, and it may have continued as new.
      this.scope.cancelRequested.catch(() => getExternalWorkflowHandle(child.workflowId).cancel().catch(() => undefined));
      await child.result();
    });
  }

  private async begin(): Promise<ChildWorkflowHandle<SessionWorkflow>> {
    this.child = await startChild<SessionWorkflow>(sessionWorkflow, {
      ...sessionStart(this.input, this.caller),
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    });
    return this.child;
  }

  /** Time in which the tenant is suspended does not count. */
  async watch(): Promise<void> {
    let isToldToClose = false;
    const mustClose = () => this.state.closing && this.child !== undefined && !isToldToClose;
    while (!this.hasEnded) {
      if (mustClose()) {
        isToldToClose = true;
        // It may have ended just now.
        await this.child?.signal(closeSession).catch(() => undefined);
      }
      const isAtRest = domain.isAtRest(this.state);
      const hasNews = () => this.hasEnded || mustClose() || domain.isAtRest(this.state) !== isAtRest;
      if (isAtRest) await condition(hasNews);
      else if (!(await condition(hasNews, this.caller.timeLeftMs()))) {
        this.scope.cancel();
        await condition(() => this.hasEnded);
      }
    }
  }

  private get state(): domain.SessionState {
    return this.caller.session.state;
  }
}
