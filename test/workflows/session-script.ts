import { Context } from '@temporalio/activity';
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { SessionActivities } from '../../src/activities/session';
import { codeOf } from '../../src/contracts/errors';
import { taskQueues, workflowIds } from '../../src/contracts/names';
import type { OnBusy } from '../../src/contracts/session';
import type { SessionState } from '../../src/domain/session';
import { closeSession, submitMessage } from '../../src/workflows/definitions';
import type { session } from '../../src/workflows/session';
import { withWorkers } from '../support/workflow';

export const tenantId = 'acme';
export const userId = 'user-1';
export const limits = { maxSteps: 3, maxTurnMs: 600_000, historyTurns: 30 };

/** What the tenant's queue did, in order; the log's head grows by two with each write. */
export class Script {
  readonly done: string[] = [];
  private head = 0;

  constructor(private readonly overrides: Partial<SessionActivities> = {}) {}

  write(line: string): { head: number } {
    this.done.push(line);
    this.head += 2;
    return { head: this.head };
  }

  get activities(): SessionActivities {
    return {
      think: ({ turnId, step }) => Promise.resolve({ ...this.write(`think ${turnId}/${step}`), outcome: 'completed', calls: [], limits }),
      compact: ({ turnId, step, plan }) => {
        const { head } = this.write(`compact ${turnId}/${step} up to ${plan.upTo}`);
        return Promise.resolve({ head, at: head - 1 });
      },
      useTool: ({ turnId, step, call }) => Promise.resolve(this.write(`tool ${turnId}/${step}/${call.callId}`)),
      settleErrand: ({ call }) => Promise.resolve(this.write(`settle ${call.callId}`)),
      failTool: ({ call, code }) => Promise.resolve(this.write(`failTool ${call.callId} ${code}`)),
      announceTurns: ({ turnIds }) => Promise.resolve(this.write(`announce ${turnIds.join(' ')}`)),
      endTurn: ({ turnId, end }) => Promise.resolve({ ...this.write(`end ${turnId} ${end.outcome}${end.code ? ` ${end.code}` : ''}`), unseen: [] }),
      pickUpSession: () => Promise.reject(new Error('this session has no past')),
      copySession: ({ fork }) => Promise.resolve(this.write(`copy ${fork.sessionId}/${fork.turnId}`)),
      extractFacts: ({ turnId }) => Promise.resolve(this.write(`extract ${turnId}`)),
      skipFacts: ({ turnId, code }) => Promise.resolve(this.write(`skip ${turnId} ${code}`)),
      planUndo: ({ turnId }) => {
        this.write(`plan undo ${turnId}`);
        return Promise.resolve({ calls: [] });
      },
      undoTool: ({ turnId, call }) => Promise.resolve(this.write(`undo ${turnId}/${call.callId}`)),
      failUndo: ({ turnId, call, code }) => Promise.resolve(this.write(`fail undo ${turnId}/${call.callId} ${code}`)),
      endUndo: ({ turnId, failure }) => Promise.resolve(this.write(`end undo ${turnId}${failure ? ` ${failure.code}` : ''}`)),
      closeSession: () => Promise.resolve(this.write('close')),
      decideApproval: ({ approvalId, verdict, by, decision }) => Promise.resolve(this.write(['decide', approvalId, verdict ?? 'vote', ...by, ...(decision ? [] : ['expired'])].join(' '))),
      settleQuestion: ({ questionId, answerId }) => Promise.resolve(this.write(`settle ${questionId} ${answerId ?? 'expired'}`)),
      notifyApproval: ({ approvalId }) => Promise.resolve(this.write(`notify ${approvalId}`)),
      ...this.overrides,
    };
  }
}

export interface Conversation {
  readonly env: TestWorkflowEnvironment;
  readonly handle: WorkflowHandle<typeof session>;
  readonly send: (turnId: string, options?: { userId?: string; onBusy?: OnBusy }) => Promise<{ after: number }>;
  readonly close: () => Promise<void>;
}

/**
 * @param state - of the run before, as if the session had continued as new.
 * @param maxCachedWorkflows - 0: each task of the workflow is taken by a worker that has nothing of it.
 */
export function converse(script: Script, scenario: (conversation: Conversation) => Promise<void>, state?: SessionState, maxCachedWorkflows?: number): Promise<void> {
  const workflowId = workflowIds.session(tenantId, 'ses-1');
  return withWorkers(
    {
      workflowsPath: require.resolve('../../src/workflows/index'),
      workflowQueue: taskQueues.sessions,
      activities: { [taskQueues.tenant(tenantId)]: script.activities },
      ...(maxCachedWorkflows !== undefined && { maxCachedWorkflows }),
    },
    async (env) => {
      const handle = await env.client.workflow.start<typeof session>('session', {
        workflowId,
        taskQueue: taskQueues.sessions,
        args: [{ tenantId, sessionId: 'ses-1', userId, ...(state && { state }) }],
      });
      // A handle without run id: it follows the session as it continues as new.
      const current = env.client.workflow.getHandle<typeof session>(workflowId);
      await scenario({
        env,
        handle: current,
        send: (turnId, options) =>
          current.executeUpdate(submitMessage, { updateId: turnId, args: [{ turnId, userId, onBusy: 'enqueue', ...options }] }),
        close: async () => {
          await current.signal(closeSession);
          await current.result();
        },
      });
      return [handle.workflowId];
    },
  );
}

export const refusal = (code: string) => (error: unknown) => {
  expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
  expect(codeOf(error)).toBe(code);
};

/** An activity that never answers, but hears that it is to stop. */
export async function cancelledWhileBeating(): Promise<never> {
  const context = Context.current();
  const beating = setInterval(() => context.heartbeat(), 200);
  return context.cancelled.finally(() => clearInterval(beating));
}

/** Holds an activity until it is let go. */
export function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  let reach: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  return { open, reached, pass: () => (reach(), opened) };
}

/** `turn-1` is answered when the gate opens, every other turn at once. */
export function answeringBehind(first: ReturnType<typeof gate>): Script {
  const script: Script = new Script({
    think: async ({ turnId, step }) => {
      if (turnId === 'turn-1') await first.pass();
      return { ...script.write(`think ${turnId}/${step}`), outcome: 'completed', calls: [], limits };
    },
  });
  return script;
}

export function fail(): never {
  throw new Error('should have been refused');
}
