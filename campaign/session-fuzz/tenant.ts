import { ApplicationFailure, Context } from '@temporalio/activity';
import { setTimeout as delay } from 'node:timers/promises';
import type { SessionActivities } from '../../src/activities/session';
import type { UsedTool } from '../../src/activities/session/use-tool';
import type { EventBody } from '../../src/contracts/events';
import { omit } from '../../src/domain/omit';
import { cancelledQuestion, openQuestions } from '../../src/domain/questions';
import type { OpenCall, PendingApproval, Thought } from '../../src/domain/session';
import { cancelledApproval, openApprovals, openCalls } from '../../src/domain/transcript';
import { undoCandidates } from '../../src/domain/undo';
import { type Draw, drawing } from '../../src/local/model/hostile';
import { FuzzedLog } from './log';

const limits = { maxSteps: 4, maxTurnMs: 600_000, historyTurns: 30 };
type Input<Name extends keyof SessionActivities> = Parameters<SessionActivities[Name]>[0];
interface Place {
  readonly turnId: string;
  readonly step: number;
  readonly callId: string;
  readonly tool: string;
}

/** The activities of a tenant's queue: what they come to follows from the seed, and so does how long they take and which of their attempts fail. */
export class FuzzedTenant {
  readonly logs = new Map<string, FuzzedLog>();

  constructor(private readonly seed: string) {}

  logOf(sessionId: string): FuzzedLog {
    const log = this.logs.get(sessionId) ?? new FuzzedLog();
    this.logs.set(sessionId, log);
    return log;
  }

  get activities(): SessionActivities {
    const write = (key: string, of: { readonly sessionId: string }, ...events: EventBody[]) => {
      const log = this.logOf(of.sessionId);
      return this.attempt(of, key, () => ({ head: log.once(key, () => log.write(...events)) }));
    };
    return {
      think: (input) => this.attempt(input, `think ${input.turnId}/${input.step}${input.resumed ? ' again' : ''}${input.compacted ? ' shorter' : ''}`, () => this.think(input)),
      compact: (input) => this.attempt(input, `compact ${input.turnId}/${input.step}`, () => this.compact(input)),
      useTool: (input) => this.attempt(input, `use ${input.call.callId}`, () => this.useTool(input)),
      failTool: (input) => this.attempt(input, `fail ${input.call.callId}`, () => this.failTool(input)),
      settleErrand: ({ sessionId, turnId, step, call: { callId, tool } }) => write(`settle ${callId}`, { sessionId }, { type: 'tool.completed', turnId, step, callId, tool, output: null }),
      announceTurns: ({ sessionId, turnIds }) => write(`announce ${turnIds.join(' ')}`, { sessionId }, ...turnIds.map((turnId): EventBody => ({ type: 'turn.queued', turnId }))),
      endTurn: (input) => this.attempt(input, `end ${input.turnId}`, () => this.endTurn(input)),
      pickUpSession: ({ sessionId }) => Promise.resolve({ head: this.logOf(sessionId).head, turnCount: 0, turnStarts: [], seen: [], isClosed: false }),
      copySession: ({ sessionId, fork }) => write('copy', { sessionId }, { type: 'session.forked', from: fork.sessionId, atTurn: fork.turnId }),
      extractFacts: (input) => this.attempt(input, `extract ${input.turnId}`, () => ({ head: this.noteFacts(input.sessionId, { type: 'facts.extracted', turnId: input.turnId, facts: [] }) })),
      skipFacts: (input) => this.attempt(input, `skip ${input.turnId}`, () => ({ head: this.noteFacts(input.sessionId, { type: 'facts.skipped', turnId: input.turnId, code: input.code, message: '' }) })),
      planUndo: (input) => this.attempt(input, `plan ${input.undoId}`, () => ({ calls: undoCandidates(this.logOf(input.sessionId).all, input).map((candidate) => omit(candidate, 'isReported')) })),
      undoTool: ({ sessionId, undoId, turnId, call: { callId, step, tool } }) => write(`undo ${undoId} ${callId}`, { sessionId }, { type: 'tool.undone', undoId, turnId, step, callId, tool }),
      failUndo: ({ sessionId, undoId, turnId, code, call: { callId, step, tool } }) => write(`fail ${undoId} ${callId}`, { sessionId }, { type: 'tool.undo-failed', undoId, turnId, step, callId, tool, code, message: '' }),
      // Asked for again once it is done: what the log says of it stands.
      endUndo: ({ sessionId, undoId, turnId }) =>
        this.attempt({ sessionId }, `end ${undoId}`, () => {
          const log = this.logOf(sessionId);
          return { head: log.once(`end ${undoId}`, () => log.write({ type: 'undo.completed', undoId, turnId, undone: 0, failed: 0 }), true) };
        }),
      closeSession: ({ sessionId }) => write('close', { sessionId }, { type: 'session.closed' }),
      decideApproval: (input) => this.attempt(input, `decide ${input.approvalId} ${input.decision?.decisionId ?? 'for nobody'}`, () => this.decide(input)),
      settleQuestion: (input) => this.attempt(input, `settle ${input.questionId}`, () => this.settle(input)),
      notifyApproval: ({ sessionId, turnId, step, callId, tool, approvalId }) =>
        this.attempt({ sessionId }, `notify ${approvalId}`, () => {
          const log = this.logOf(sessionId);
          // A run that continues as new does not wait for it: the next one tells them again.
          return { head: log.hasEnded(turnId) ? 0 : log.once(`notify ${approvalId}`, () => log.write({ type: 'approval.notified', turnId, step, callId, tool, approvalId, status: 200 }), true) };
        }),
    };
  }

  /** Takes its time, hears now and then that it is to stop, and fails now and then: before its work, or so that only its answer is lost. */
  private async attempt<Result>({ sessionId }: { readonly sessionId: string }, key: string, work: () => Result): Promise<Result> {
    const { attempt } = Context.current().info;
    const draw = drawing(`${this.seed}/${sessionId}/${key}/${attempt}`);
    if (draw(4) === 0) await listening(draw(draw(3) === 0 ? 1_500 : 250));
    else if (draw(3) > 0) await delay(draw(40));
    if (attempt === 1 && draw(16) === 0) throw ApplicationFailure.retryable('away', 'dependency/unavailable');
    const result = work();
    if (attempt === 1 && draw(16) === 0) throw ApplicationFailure.retryable('the answer was lost', 'dependency/unavailable');
    return result;
  }

  private think(input: Input<'think'>): Thought {
    const { sessionId, turnId, step, resumed = false, compacted = false, errand } = input;
    const log = this.logOf(sessionId);
    const place = `${turnId}/${step}`;
    const draw = drawing(`${this.seed}/${sessionId}/${place}`);
    const kind = draw(12);
    if (kind === 0) throw ApplicationFailure.nonRetryable('the model does not want to', 'model/refused');
    if (kind === 1 && !resumed && !errand)
      return log.once(`refuse ${place}`, () => {
        const head = log.write(...opening(log, input), { type: 'budget.exhausted', turnId, step, level: 'tenantDay', unit: 'tokens' });
        return { head, calls: [], limits, exhausted: { level: 'tenantDay', unit: 'tokens', longestPauseMs: draw(3) === 0 ? 300 : 600_000 } };
      });
    if (kind === 2 && !compacted) return log.once(`find too long ${place}`, () => ({ head: log.write(...opening(log, input), { type: 'step.started', turnId, step }), calls: [], limits, compact: { upTo: Math.max(1, log.head - 3), maxCharacters: 100 } }));
    return log.once(`answer ${place}`, () => {
      log.write(...opening(log, input), compacted ? { type: 'step.reset', turnId, step, attempt: 2 } : { type: 'step.started', turnId, step });
      log.write({ type: 'message.completed', turnId, step, text: '', stopReason: '' });
      const isLast = draw(2) === 0;
      const calls = isLast ? [] : this.ask(input, draw);
      if (isLast) log.write({ type: 'turn.completed', turnId, outcome: 'completed' });
      return { head: log.head, calls, limits, configVersion: 7, ...(isLast && { outcome: 'completed' as const, ...(draw(3) === 0 && { extract: true as const }) }) };
    });
  }

  /** Some of these calls wait for people, some are another agent's. None: the model has another step. */
  private ask({ sessionId, turnId, step, errand }: Input<'think'>, draw: Draw): OpenCall[] {
    const log = this.logOf(sessionId);
    return Array.from({ length: draw(4) }, (_, index) => {
      const kind = errand ? 0 : draw(9);
      const callId = `${turnId}-${step}-${index}`;
      const place = { turnId, step, callId, tool: kind === 8 ? 'research' : kind >= 6 ? 'ask_user' : 'order' };
      const requestedAt = log.write({ type: 'tool.requested', ...place, input: null });
      const call: OpenCall = { callId, tool: place.tool, requestedAt, timeoutMs: 20_000, maxAttempts: 1 + draw(2), ...(draw(3) === 0 && { maxAtOnce: 1 }), ...((kind === 8 || draw(3) === 0) && { finishes: true }) };
      if (kind === 8) return { ...call, childSessionId: `child-${sessionId}-${callId}` };
      return kind >= 3 && kind <= 5 ? { ...call, approval: putApproval(log, place, `apr-${callId}`, draw) } : call;
    });
  }

  private compact({ sessionId, turnId, step, plan: { upTo } }: Input<'compact'>) {
    const log = this.logOf(sessionId);
    return log.once(`summarise ${turnId}/${step}`, () => {
      if (log.head % 3 === 0) return { head: log.head };
      const at = log.write({ type: 'history.compacted', turnId, step, upTo, summary: '' });
      return { head: at, at };
    });
  }

  private useTool({ sessionId, turnId, step, call: { callId, tool, childSessionId } }: Input<'useTool'>) {
    const log = this.logOf(sessionId);
    const draw = drawing(`${this.seed}/${sessionId}/${callId}`);
    if (draw(10) === 0) throw ApplicationFailure.nonRetryable('no', 'tool/failed');
    const place = { turnId, step, callId, tool };
    return log.once(`use ${callId}`, () => {
      const head = log.write({ type: 'tool.started', ...place });
      if (childSessionId !== undefined) return { head, opened: { agent: { name: 'research', version: 3 }, errand: { turnId: `task-${callId}`, depth: 1 } } };
      if (tool !== 'ask_user') return { head: log.write({ type: 'tool.completed', ...place, output: null }) };
      const questionId = `qst-${callId}`;
      const askedAt = log.write({ type: 'question.asked', ...place, questionId, question: '', expiresAt: '' });
      return { head: askedAt, question: { questionId, askedAt, expiresAtMs: Date.now() + patienceMs(draw) } };
    });
  }

  /** A result that made it into the log stands, and so does a question. */
  private failTool({ sessionId, turnId, step, code, call: { callId, tool } }: Input<'failTool'>): UsedTool {
    const log = this.logOf(sessionId);
    const { head = log.head, question } = (log.resultOf(`use ${callId}`) as UsedTool | undefined) ?? {};
    if (question) return { head, question };
    if (log.hasResult(callId)) return { head: log.head };
    return { head: log.write({ type: 'tool.failed', turnId, step, callId, tool, code, message: '' }) };
  }

  /** What the log lacks, and then the end; one that is there stands. */
  private endTurn({ sessionId, turnId, announced, end, steering = [] }: Input<'endTurn'>) {
    const log = this.logOf(sessionId);
    const ofTurn = log.ofTurn(turnId);
    const unseen = steering.filter((messageId) => !ofTurn.some((event) => event.type === 'turn.steered' && event.messageId === messageId));
    if (log.hasEnded(turnId)) return { head: log.head, unseen };
    const failures = openCalls(ofTurn).map(({ step, callId, tool }): EventBody => ({ type: 'tool.failed', turnId, step, callId, tool, code: 'turn/ended', message: '' }));
    const isQueued = announced || ofTurn.some(({ type }) => type === 'turn.queued');
    log.write(...(isQueued ? [] : [{ type: 'turn.queued' as const, turnId }]), ...openApprovals(ofTurn).map(cancelledApproval), ...openQuestions(ofTurn).map(cancelledQuestion), ...failures, { type: 'turn.completed', turnId, ...end });
    return { head: log.head, unseen };
  }

  /** Of a turn once: what is interrupted is begun again, or skipped. */
  private noteFacts(sessionId: string, event: Extract<EventBody, { type: 'facts.extracted' | 'facts.skipped' }>): number {
    const log = this.logOf(sessionId);
    return log.once(`facts ${event.turnId}`, () => log.write(event), true);
  }

  private decide({ sessionId, turnId, step, callId, tool, approvalId, verdict, by, decision }: Input<'decideApproval'>) {
    const log = this.logOf(sessionId);
    const place = { turnId, step, callId, tool };
    return log.once(`decide ${approvalId} ${decision?.decisionId ?? 'for nobody'}`, () => {
      if (log.hasEnded(turnId)) throw ApplicationFailure.nonRetryable('too late', 'turn/ended');
      if (!verdict) return { head: log.write({ type: 'approval.voted', ...place, approvalId, by: by[0] ?? '', decision: 'approve' }) };
      log.write({ type: 'approval.decided', ...place, approvalId, decision: verdict, by: [...by] });
      if (verdict === 'denied') log.write({ type: 'tool.failed', ...place, code: 'tool/denied', message: '' });
      if (verdict !== 'edited') return { head: log.head };
      const approval = putApproval(log, place, `${approvalId}+`, drawing(`${this.seed}/${sessionId}/${approvalId}`));
      return { head: log.head, next: { inputAt: log.head, approval } };
    });
  }

  private settle({ sessionId, turnId, step, callId, tool, questionId, answerId }: Input<'settleQuestion'>) {
    const log = this.logOf(sessionId);
    const place = { turnId, step, callId, tool };
    return log.once(`settle ${questionId}`, () => {
      if (log.hasEnded(turnId)) throw ApplicationFailure.nonRetryable('too late', 'turn/ended');
      const events: EventBody[] =
        answerId === undefined
          ? [{ type: 'question.closed', ...place, questionId, reason: 'expired' }, { type: 'tool.failed', ...place, code: 'question/expired', message: '' }]
          : [{ type: 'question.answered', ...place, questionId, answer: { text: '' } }, { type: 'tool.completed', ...place, output: null }];
      return { head: log.write(...events) };
    });
  }
}

/** What a step writes before it thinks, as far as the log lacks it. */
function opening(log: FuzzedLog, { turnId, step, announced, steering = [] }: Input<'think'>): EventBody[] {
  const ofTurn = log.ofTurn(turnId);
  const lacks = (type: EventBody['type']) => step === 1 && !ofTurn.some((event) => event.type === type);
  return [
    ...(!announced && lacks('turn.queued') ? [{ type: 'turn.queued', turnId } as const] : []),
    ...(lacks('turn.started') ? [{ type: 'turn.started', turnId, text: '' } as const] : []),
    ...steering.filter((messageId) => !ofTurn.some((event) => event.type === 'turn.steered' && event.messageId === messageId)).map((messageId): EventBody => ({ type: 'turn.steered', turnId, step, messageId, text: '' })),
  ];
}

function putApproval(log: FuzzedLog, place: Place, approvalId: string, draw: Draw): PendingApproval {
  const [quorum, barred, onExpiry] = [1 + draw(2), draw(4) === 0 ? ['person-0'] : [], draw(2) === 0 ? ('approve' as const) : ('deny' as const)];
  log.write({ type: 'approval.requested', ...place, approvalId, argumentsHash: '', policyVersion: 1, quorum, barred, expiresAt: '', onExpiry });
  return { approvalId, quorum, barred, onExpiry, expiresAtMs: Date.now() + patienceMs(draw), votes: [], ...(draw(2) === 0 && { notify: true }) };
}

/** Now and then nobody is fast enough. */
const patienceMs = (draw: Draw): number => (draw(3) === 0 ? draw(500) : 600_000);

/** Works, and hears that it is to stop. */
async function listening(ms: number): Promise<void> {
  const context = Context.current();
  context.heartbeat();
  const beating = setInterval(() => context.heartbeat(), 50);
  await context.sleep(ms).finally(() => clearInterval(beating));
}
