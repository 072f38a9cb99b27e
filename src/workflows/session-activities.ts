import { type ActivityOptions, proxyActivities, type RetryPolicy } from '@temporalio/workflow';
import type { SessionActivities } from '../activities/session';
import { taskQueues } from '../contracts/names';

type Input<Name extends keyof SessionActivities> = Parameters<SessionActivities[Name]>[0];

/** The worker beats every second: three missed beats and another worker takes over. */
const heartbeatTimeout = '4 seconds';
const retry: RetryPolicy = { initialInterval: '500 ms', backoffCoefficient: 2, maximumInterval: '15 seconds' };

/** Longer than any tool takes. The session's next turn waits for it: after these it is left as it is, and can be asked for again. */
const undoAttempt = '90 seconds';
const undoAttempts = 6;

/** A session's activities on its tenant's own queue, each with the timeouts and retries it needs. */
export function sessionActivities(tenantId: string) {
  const base: ActivityOptions = {
    taskQueue: taskQueues.tenant(tenantId),
    heartbeatTimeout,
    retry,
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  };
  /** Small writes that must happen, however long a service is away: they are tried until they succeed. */
  const bookkeeping = proxyActivities<SessionActivities>({ ...base, startToCloseTimeout: '10 seconds' });
  const proxied = proxyActivities<SessionActivities>({ ...base, startToCloseTimeout: '10 minutes' });

  return {
    think: (timeLeftMs: number, input: Input<'think'>) =>
      proxied.think.executeWithOptions(
        { ...base, scheduleToCloseTimeout: timeLeftMs, summary: `step ${input.step}` },
        [input],
      ),
    compact: (timeLeftMs: number, input: Input<'compact'>) =>
      proxied.compact.executeWithOptions({ ...base, scheduleToCloseTimeout: timeLeftMs, summary: `up to event ${input.plan.upTo}` }, [input]),
    useTool: (timeLeftMs: number, input: Input<'useTool'>) =>
      proxied.useTool.executeWithOptions(
        {
          ...base,
          startToCloseTimeout: input.call.timeoutMs,
          scheduleToCloseTimeout: timeLeftMs,
          retry: { ...retry, maximumAttempts: input.call.maxAttempts },
          summary: `${input.call.tool}, step ${input.step}`,
        },
        [input],
      ),
    notifyApproval: (timeLeftMs: number, input: Input<'notifyApproval'>) =>
      proxied.notifyApproval.executeWithOptions(
        { ...base, startToCloseTimeout: '30 seconds', scheduleToCloseTimeout: timeLeftMs, retry: { ...retry, maximumInterval: '5 minutes' }, summary: input.approvalId },
        [input],
      ),
    decideApproval: bookkeeping.decideApproval,
    settleQuestion: bookkeeping.settleQuestion,
    // Whoever gives it up does not wait for it: what it still writes, another attempt finds.
    extractFacts: (timeLeftMs: number, input: Input<'extractFacts'>) =>
      proxied.extractFacts.executeWithOptions(
        { ...base, cancellationType: 'TRY_CANCEL', startToCloseTimeout: '2 minutes', scheduleToCloseTimeout: timeLeftMs, retry: { ...retry, maximumInterval: '1 minute' }, summary: `facts from ${input.turnId}` },
        [input],
      ),
    skipFacts: bookkeeping.skipFacts,
    announceTurns: bookkeeping.announceTurns,
    failTool: bookkeeping.failTool,
    settleErrand: bookkeeping.settleErrand,
    planUndo: (input: Input<'planUndo'>) => proxied.planUndo.executeWithOptions({ ...base, startToCloseTimeout: '1 minute', summary: input.turnId }, [input]),
    undoTool: (input: Input<'undoTool'>) =>
      proxied.undoTool.executeWithOptions({ ...base, startToCloseTimeout: undoAttempt, retry: { ...retry, maximumAttempts: undoAttempts }, summary: `${input.call.tool}, step ${input.call.step}` }, [input]),
    failUndo: bookkeeping.failUndo,
    endUndo: bookkeeping.endUndo,
    endTurn: bookkeeping.endTurn,
    pickUpSession: bookkeeping.pickUpSession,
    copySession: (input: Input<'copySession'>) => proxied.copySession.executeWithOptions({ ...base, startToCloseTimeout: '1 hour', summary: input.fork.sessionId }, [input]),
    closeSession: bookkeeping.closeSession,
  };
}
