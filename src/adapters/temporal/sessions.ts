import {
  type Client,
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/client';
import { codeOf, DomainError } from '../../contracts/errors';
import { searchAttributes, sessionOfWorkflow, workflowIds } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import type { Sessions, SessionStatus } from '../../ports/sessions';
import { answerQuestion, budgetChanged, cancelTurn, closeSession, decideApproval, forkSession, holdSession, readSession, releaseSession, type SessionInput, sessionStart, sessionWorkflow, submitMessage, undoTurn } from '../../workflows/definitions';
import { translating, unlessGone, unlessMissing } from './errors';

/** Longer than any healthy answer; what comes later is reported as unavailable, and the caller may repeat it. */
const answerWithinMs = 10_000;

/** The session workflows of all tenants. */
export function createSessions(client: Client): Sessions {
  const handleOf = ({ tenantId, sessionId }: SessionRef) => client.workflow.getHandle(workflowIds.session(tenantId, sessionId));
  const calling = <T>(call: () => Promise<T>) => client.withDeadline(Date.now() + answerWithinMs, call);

  return {
    async submit({ tenantId, sessionId }, { turnId, userId, onBusy, agent, unattended }) {
      const taken = await unlessMissing(() =>
        calling(() =>
          client.workflow.executeUpdateWithStart(submitMessage, {
            updateId: turnId,
            args: [{ turnId, userId, onBusy, ...(unattended && { unattended }) }],
            startWorkflowOperation: withSessionStart({ tenantId, sessionId, userId, ...(agent && { agent }) }),
          }),
        ),
      ).catch(orWhenAlreadyStarted);
      if (!taken) throw new DomainError('session/closed', 'The session is closed: open a new one.');
      return { turnId, after: taken.after };
    },

    takenAt: async (session, turnId) => (await unlessMissing(() => calling(() => handleOf(session).getUpdateHandle<{ after: number }>(turnId).result())))?.after,

    async cancel(session, turnId) {
      const found = await unlessMissing(() => calling(() => handleOf(session).executeUpdate(cancelTurn, { args: [turnId === undefined ? {} : { turnId }] })));
      if (!found && turnId !== undefined) throw new DomainError('turn/not-found', 'No such turn runs or waits in this session.');
    },

    async decideApproval(session, decision) {
      const taken = await unlessMissing(() => calling(() => handleOf(session).executeUpdate(decideApproval, { updateId: decision.decisionId, args: [decision] })));
      if (!taken) throw new DomainError('approval/closed', 'The session has ended.');
    },

    async answerQuestion(session, answer) {
      const taken = await unlessMissing(() => calling(() => handleOf(session).executeUpdate(answerQuestion, { updateId: answer.answerId, args: [answer] })));
      if (!taken) throw new DomainError('question/closed', 'The session has ended.');
    },

    undo: undoing(client, calling),
    fork: forking(client, calling),
    close: closing(client, calling),

    async hold(session, at) {
      await unlessMissing(() => calling(() => handleOf(session).signal(holdSession, { at })));
    },

    async release(session) {
      await unlessMissing(() => calling(() => handleOf(session).signal(releaseSession)));
    },

    async budgetChanged(session, heardAfterMs) {
      await unlessMissing(() => calling(() => handleOf(session).signal(budgetChanged, { heardAfterMs })));
    },

    async terminate(session) {
      await unlessMissing(() => calling(() => handleOf(session).terminate('its tenant leaves')));
    },

    ...looking(client, calling),

    async forgetAll(tenantId) {
      let found = 0;
      const query = `${searchAttributes.tenantId}="${tenantId}" AND WorkflowType="${sessionWorkflow}"`;
      for await (const { workflowId, runId, status } of client.workflow.list({ query })) {
        found += 1;
        if (status.name === 'RUNNING') await unlessMissing(() => calling(() => client.workflow.getHandle(workflowId, runId).terminate('its tenant is restored')));
        const { namespace } = client.options;
        await translating(() => calling(() => client.connection.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } })).catch(unlessGone));
      }
      return found;
    },

    async *running(tenantId) {
      const query = `${searchAttributes.tenantId}="${tenantId}" AND WorkflowType="${sessionWorkflow}" AND ExecutionStatus="Running"`;
      const listed = await translating(() =>
        calling(async () => {
          const workflowIds: string[] = [];
          for await (const { workflowId } of client.workflow.list({ query })) workflowIds.push(workflowId);
          return workflowIds;
        }),
      );
      for (const workflowId of listed) {
        const sessionId = sessionOfWorkflow(workflowId);
        if (sessionId) yield { tenantId, sessionId };
      }
    },
  };
}

type Calling = <T>(call: () => Promise<T>) => Promise<T>;

/** What is known of a workflow that does not speak for itself. */
const unheard = { head: 0, turnCount: 0, queuedTurns: 0 };

function looking(client: Client, calling: Calling): Pick<Sessions, 'status' | 'isRunning' | 'hasEnded'> {
  const handleOf = ({ tenantId, sessionId }: SessionRef) => client.workflow.getHandle(workflowIds.session(tenantId, sessionId));
  const executionOf = async (session: SessionRef) => (await unlessMissing(() => calling(() => handleOf(session).describe())))?.status.name;

  return {
    async status(session): Promise<SessionStatus> {
      const execution = await executionOf(session);
      if (execution === undefined) return { state: 'idle', ...unheard };
      const view = translating(() => calling(() => handleOf(session).query(readSession)));
      if (execution === 'RUNNING') return view;
      return { ...(await view.catch((error: unknown) => unheardIfCutOff(error, execution))), state: 'closed' };
    },

    isRunning: async (session) => (await executionOf(session)) === 'RUNNING',

    async hasEnded(session) {
      const execution = await executionOf(session);
      return execution !== undefined && execution !== 'RUNNING';
    },
  };
}

/** A workflow that was terminated while its tasks failed is never replayed again: Temporal refuses each query. */
function unheardIfCutOff(error: unknown, execution: string): Omit<SessionStatus, 'state'> {
  if (execution === 'COMPLETED' || codeOf(error) !== 'dependency/unavailable') throw error;
  return unheard;
}

const forking =
  (client: Client, calling: Calling): Sessions['fork'] =>
  async (session, { userId, agent }, source) => {
    const startWorkflowOperation = withSessionStart({ ...session, userId, fork: source, ...(agent && { agent }) });
    const isThis = await unlessMissing(() => calling(() => client.workflow.executeUpdateWithStart(forkSession, { args: [source], startWorkflowOperation }))).catch((error: unknown) => {
      // It was handed over: the copy goes on, however long it takes.
      if (codeOf(error) === 'dependency/unavailable') return 'later' as const;
      orWhenAlreadyStarted(error);
      return undefined;
    });
    if (isThis === 'later') return false;
    if (!isThis) throw new DomainError('session/exists', `There is a session ${session.sessionId} already: choose another id.`);
    return true;
  };

const undoing =
  (client: Client, calling: Calling): Sessions['undo'] =>
  async (session, { agent, ...request }) => {
    const startWorkflowOperation = withSessionStart({ ...session, userId: request.userId, ...(agent && { agent }) });
    const taken = await unlessMissing(() => calling(() => client.workflow.executeUpdateWithStart(undoTurn, { updateId: request.undoId, args: [request], startWorkflowOperation }))).catch(orWhenAlreadyStarted);
    if (!taken) throw new DomainError('session/closed', 'The session is closed: nothing of it is taken back any more.');
    return taken;
  };

const closing =
  (client: Client, calling: Calling): Sessions['close'] =>
  async (session, record) => {
    const { workflow } = client;
    if (!record || record.parent || record.closedAt !== undefined) {
      await unlessMissing(() => calling(() => workflow.getHandle(workflowIds.session(session.tenantId, session.sessionId)).signal(closeSession)));
      return;
    }
    const { userId, agent } = record;
    const start = sessionStart({ ...session, userId, ...(agent && { agent }) });
    await translating(() => calling(() => workflow.signalWithStart(sessionWorkflow, { ...start, signal: closeSession }))).catch(orWhenAlreadyStarted);
  };

const withSessionStart = (input: SessionInput) =>
  new WithStartWorkflowOperation(sessionWorkflow, { ...sessionStart(input), workflowIdConflictPolicy: 'USE_EXISTING' });

/** The workflow has ended, and its id is not used again. */
function orWhenAlreadyStarted(error: unknown): undefined {
  if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
  throw error;
}
