import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  patched,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import * as domain from '../domain/session';
import { Conversation } from './conversation';
import { answerQuestion, budgetChanged, cancelTurn, closeSession, decideApproval, forkSession, holdSession, readSession, releaseSession, type SessionInput, submitMessage, type SubmittedMessage, type UndoRequest, undoTurn } from './definitions';
import { refusal } from './refusal';
import { tenantKey } from './search-attributes';

/**
 * One conversation: takes messages in order, and runs a turn for each until it is closed. Cancelling the workflow
 * closes it too: the running turn is stopped, and the log says so.
 */
export async function session(input: SessionInput): Promise<void> {
  const conversation = new Conversation(input);
  setHandler(readSession, () => domain.viewOf(conversation.state));
  setHandler(closeSession, () => conversation.close());
  setHandler(holdSession, ({ at }) => {
    conversation.hold(at);
    show(conversation);
  });
  setHandler(releaseSession, () => {
    conversation.release();
    show(conversation);
  });
  setHandler(budgetChanged, ({ heardAfterMs }) => conversation.budgetChanged(heardAfterMs));
  setHandler(cancelTurn, ({ turnId }) => conversation.cancel(turnId));
  setHandler(forkSession, (source) => conversation.forked(source));
  setHandler(undoTurn, (request) => conversation.takeBack(request), {
    validator: (request: UndoRequest) => {
      if (input.errand) throw refusal('session/of-agent', 'An agent works in this session for another one: it takes nothing back.');
      if (request.userId !== input.userId) throw refusal('session/not-found', 'There is no such session.');
      validateUndo(conversation.state, request);
    },
  });
  setHandler(
    decideApproval,
    async (decision) => {
      await conversation.approvals.decide(decision);
      return true;
    },
    { validator: (decision: domain.Decision) => conversation.approvals.check(decision) },
  );
  setHandler(
    answerQuestion,
    async (answer) => {
      await conversation.questions.answer(answer);
      return true;
    },
    { validator: (answer: domain.GivenAnswer) => conversation.questions.check(answer) },
  );
  setHandler(submitMessage, (message) => conversation.take(message), {
    validator: (message: SubmittedMessage) => {
      if (input.errand) throw refusal('session/of-agent', 'An agent works in this session for another one: it takes no messages.');
      if (message.userId !== input.userId) throw refusal('session/not-found', 'There is no such session.');
      validate(conversation.state, message);
    },
  });
  CancellationScope.current().cancelRequested.catch(() => {
    conversation.close();
    // In the order in which runs of before were cancelled.
    conversation.stopHearing();
    conversation.cancel(undefined);
    conversation.stopAnnouncing();
    conversation.facts.stop();
  });
  await CancellationScope.nonCancellable(() => run(conversation, input));
}

async function run(conversation: Conversation, input: SessionInput): Promise<void> {
  // Runs of before left this mark of their first rest alone.
  if (input.state && !domain.canAct(input.state)) patched('begins-at-rest');
  if (!conversation.isBegun) await conversation.begin();
  const { errand } = input;
  const firstTurn = conversation.state.turnCount;
  const hasManyTurns = () => conversation.state.turnCount - firstTurn >= domain.turnsPerRun;
  const isLong = () => hasManyTurns() || workflowInfo().historyLength >= domain.eventsPerRun;
  // Runs of before went by turns alone, and went on while messages were being announced.
  const mustRollOver = () => conversation.hasNextMessage && isLong() && (patched('roll-over-by-events') || (hasManyTurns() && !conversation.isAnnouncing));
  // One turn can be long, too: a day of approvals, hundreds of tools.
  const isFull = () => workflowInfo().continueAsNewSuggested && patched('roll-over-in-turn');
  for (;;) {
    // With the next message in hand: one that came while the run closes would have to be sent again.
    if (mustRollOver() || isFull()) {
      await condition(() => allHandlersFinished() && conversation.isSettled);
      await continueAsNew<typeof session>({ ...input, state: conversation.state });
    }
    if (errand && domain.isErrandDone(conversation.state)) conversation.close();
    const action = conversation.next();
    if (action.do === 'wait') rest(conversation);
    show(conversation);
    if (action.do === 'wait') await condition(() => domain.canAct(conversation.state) || mustRollOver() || isFull());
    else await conversation.carryOut(action);
    if (action.do === 'close') {
      await condition(allHandlersFinished);
      return;
    }
  }
}

/**
 * A worker that has nothing of the session in memory takes tasks that made no command together with the next one, where messages are heard before the answers that
 * came with the tasks before: it would tell another story than the history, and the session stand still for good. So each rest leaves a word in the history:
 * whose the session is, once more.
 */
function rest(conversation: Conversation): void {
  conversation.rest();
  if (patched('rests-with-a-word')) upsertSearchAttributes([{ key: tenantKey, value: conversation.ref.tenantId }]);
}

const show = (conversation: Conversation): void => setCurrentDetails(domain.describe(conversation.state));

function validate(state: domain.SessionState, { turnId, onBusy }: SubmittedMessage): void {
  if (domain.takenAt(state, turnId) !== undefined) return;
  if (state.closing) throw refusal('session/closed', 'The session is closed: open a new one.');
  if (onBusy === 'reject' && domain.isBusy(state))
    throw refusal('session/busy', 'The agent is working: wait for its answer, or send onBusy "enqueue".');
  if (state.inbox.length >= domain.maxInbox)
    throw refusal('session/inbox-full', `${domain.maxInbox} messages wait already: wait for answers.`);
}

function validateUndo(state: domain.SessionState, { undoId }: UndoRequest): void {
  if (domain.isUndoing(state, undoId)) return;
  if (state.closing) throw refusal('session/closed', 'The session is closed: nothing of it is taken back any more.');
  if ((state.undos ?? []).length >= domain.maxUndos) throw refusal('session/inbox-full', `${domain.maxUndos} turns wait to be taken back already.`);
}
