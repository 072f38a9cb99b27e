import fc from 'fast-check';
import type { EventBody } from '../../src/contracts/events';
import type { CompactionPlan } from '../../src/domain/compaction';
import type { OnBusy } from '../../src/contracts/session';
import { cancelledQuestion, openQuestions } from '../../src/domain/questions';
import * as domain from '../../src/domain/session';
import { cancelledApproval, openApprovals, openCalls, toModelMessages } from '../../src/domain/transcript';
import { undoCandidates } from '../../src/domain/undo';

/**
 * The pure core with everything around it that can go differently: a log, activities in flight that end when they like, are
 * stopped, or die with their worker, people who decide and answer, tenants that are suspended, workflows that continue as new.
 */
class World {
  state: domain.SessionState = domain.newSession;
  readonly log: EventBody[] = [];
  readonly sent: { readonly turnId: string; readonly onBusy: OnBusy }[] = [];
  /** Turns that were to be taken back. */
  readonly unwanted = new Set<string>();
  closed = false;
  /** Steps that were found too long. */
  readonly tooLong = new Set<string>();
  private thinking: { readonly turn: domain.CurrentTurn; readonly opening: EventBody[]; isWritten: boolean } | undefined;
  private readonly using = new Map<string, { readonly turn: domain.CurrentTurn; readonly call: domain.OpenCall; isBegun: boolean }>();
  private calls = 0;
  private nowMs = 0;

  /** The workflow's loop, as far as it comes. */
  proceed(): void {
    this.nowMs += 10;
    if (this.closed || this.thinking || (this.using.size > 0 && domain.readyCalls(this.state).every(({ callId }) => this.using.has(callId)))) return;
    if (this.using.size === 0) this.state = domain.beginTurn(this.state, this.nowMs);
    const action = domain.nextAction(this.state);
    if (this.using.size > 0 && action.do !== 'useTools') return;
    if (action.do === 'wait') {
      this.state = domain.rest(this.state, this.nowMs);
      return;
    }
    this.state = domain.wake(this.state, this.nowMs);
    if (action.do === 'think') this.beginThinking();
    else if (action.do === 'compact') this.compact(action.turn, action.plan);
    else if (action.do === 'useTools') this.beginTools();
    else if (action.do === 'undo') this.undo(action.undo);
    else if (action.do === 'endTurn') this.endTurn(action.turn, action.end);
    else {
      this.write({ type: 'session.closed' });
      this.closed = true;
    }
  }

  send(onBusy: OnBusy): void {
    if (this.state.closing || this.state.inbox.length >= domain.maxInbox || (onBusy === 'reject' && domain.isBusy(this.state))) return;
    const turnId = `t${this.sent.length}`;
    this.sent.push({ turnId, onBusy });
    this.state = domain.take(this.state, { turnId, onBusy });
  }

  cancel(pick: number): void {
    this.state = domain.cancelTurn(this.state, pick % 3 === 0 ? undefined : this.sent[pick % Math.max(1, this.sent.length)]?.turnId);
  }

  close(): void {
    this.state = domain.close(this.state);
  }

  hold(at: domain.RestPoint): void {
    this.state = domain.hold(this.state, at, this.nowMs);
    this.expectWorkCounts();
  }

  /** What is at work does not rest: its time counts. */
  private expectWorkCounts(): void {
    if (this.thinking || this.using.size > 0) expect(this.state.current?.restingSinceMs).toBeUndefined();
  }

  release(): void {
    this.state = domain.release(this.state, this.nowMs);
  }

  announce(): void {
    const turnIds = domain.unannounced(this.state);
    if (turnIds.length === 0) return;
    this.write(...turnIds.map((turnId): EventBody => ({ type: 'turn.queued', turnId })));
    this.state = domain.announce(this.state, turnIds, 'done');
  }

  /** What is in memory and in no state would be lost here. */
  continueAsNew(): void {
    if (!this.thinking && this.using.size === 0) this.state = JSON.parse(JSON.stringify(this.state)) as domain.SessionState;
  }

  /** The activity that thinks goes on: its beginning reaches the log, or it ends. */
  think(how: 'begins' | 'refused' | 'too long' | 'answers' | 'asks' | 'fails' | 'dies', pick: number): void {
    const thinking = this.thinking;
    if (!thinking) return;
    const { turnId, step } = thinking.turn;
    if (how === 'refused') {
      if (!thinking.isWritten) this.refuse(thinking.turn, thinking.opening);
      return;
    }
    if (how !== 'dies' && !thinking.isWritten) {
      this.write(...thinking.opening);
      thinking.isWritten = true;
    }
    if (how === 'begins') return;
    if (how === 'too long') {
      if (!thinking.turn.compacting) this.findTooLong(thinking.turn);
      return;
    }
    this.thinking = undefined;
    const isStopped = this.state.current?.end !== undefined;
    if (how === 'fails' || how === 'dies') {
      if (isStopped && how === 'fails') this.write({ type: 'message.completed', turnId, step, text: 'half a', stopReason: 'stopped', partial: true });
      this.state = domain.requestEnd(this.state, { outcome: 'failed' });
      return;
    }
    this.write({ type: 'message.completed', turnId, step, text: 'words', stopReason: 'end_turn' });
    const calls = how === 'asks' ? this.ask(thinking.turn, pick) : [];
    if (how === 'answers') this.write({ type: 'turn.completed', turnId, outcome: 'completed' });
    this.state = domain.recordThought(this.state, { head: this.log.length, calls, limits: { maxSteps: 4, maxTurnMs: 1_000, historyTurns: 30 }, configVersion: 1, ...(how === 'answers' && { outcome: 'completed' as const }) });
  }

  /** The conversation is longer than the model can read: what is older gets a summary before the step is thought again. */
  private findTooLong({ turnId, step }: domain.CurrentTurn): void {
    this.thinking = undefined;
    this.tooLong.add(`${turnId}/${step}`);
    const compact = { upTo: Math.max(1, this.log.length - 3), maxCharacters: 100 };
    this.state = domain.recordThought(this.state, { head: this.log.length, calls: [], limits: { maxSteps: 4, maxTurnMs: 1_000, historyTurns: 30 }, configVersion: 1, compact });
  }

  /** Every third time the model makes no summary. */
  private compact({ turnId, step }: domain.CurrentTurn, plan: CompactionPlan): void {
    const isMade = this.log.length % 3 > 0;
    if (isMade) this.write({ type: 'history.compacted', turnId, step, upTo: plan.upTo, summary: 'words' });
    this.state = domain.recordCompaction(this.state, plan, { head: this.log.length, ...(isMade && { at: this.log.length }) }, this.nowMs);
  }

  /** There is no budget for the step: the log says how the turn began, and that, once. */
  private refuse({ turnId, step, outOfBudget }: domain.CurrentTurn, opening: readonly EventBody[]): void {
    this.thinking = undefined;
    this.write(...opening.filter(({ type }) => type !== 'step.started' && type !== 'step.reset'));
    if (!outOfBudget) this.write({ type: 'budget.exhausted', turnId, step, level: 'tenantDay', unit: 'tokens' });
    const exhausted = { level: 'tenantDay', unit: 'tokens', longestPauseMs: 500 } as const;
    this.state = domain.recordThought(this.state, { head: this.log.length, calls: [], limits: { maxSteps: 4, maxTurnMs: 1_000, historyTurns: 30 }, configVersion: 1, exhausted }, this.nowMs);
  }

  /** A budget was raised, or the turn has waited long enough; while the tenant is suspended, nobody looks. */
  budget(how: 'raised' | 'given up'): void {
    const pause = domain.budgetPause(this.state);
    if (pause && this.state.heldAt === undefined) this.state = domain.retryBudget(this.state, how === 'raised' ? this.nowMs : Math.max(this.nowMs, pause.giveUpAtMs));
  }

  /** A tool that runs begins, answers, or dies. */
  tool(how: 'begins' | 'answers' | 'fails', pick: number): void {
    const [key, use] = [...this.using][pick % Math.max(1, this.using.size)] ?? [];
    if (key === undefined || !use) return;
    const { turnId, step } = use.turn;
    const call = { turnId, step, callId: use.call.callId, tool: use.call.tool };
    const isStopped = this.state.current?.end !== undefined;
    if (!use.isBegun) this.write({ type: 'tool.started', ...call });
    use.isBegun = true;
    if (how === 'begins') return;
    this.using.delete(key);
    if (how === 'answers' && call.tool === 'ask_user') {
      this.put(call);
      return;
    }
    // Cancelled: the turn's end writes its result.
    if (how === 'fails' && isStopped && !use.call.finishes) return;
    this.write(how === 'answers' ? { type: 'tool.completed', ...call, output: 1 } : { type: 'tool.failed', ...call, code: 'tool/failed', message: 'no' });
    this.state = domain.recordResult(this.state, { turnId, callId: use.call.callId, head: this.log.length });
  }

  /** Somebody decides about one of the approvals there have been; the write may lose against the end of the turn. */
  decide(decision: 'approve' | 'deny' | 'edit' | 'expire', pick: number): void {
    const asked = this.log.filter((event) => event.type === 'approval.requested');
    const request = asked[pick % Math.max(1, asked.length)];
    if (!request) return;
    const { approvalId, turnId, step, callId, tool } = request;
    const by = `person-${pick % 3}`;
    const vote: domain.Decision = { approvalId, decisionId: `${approvalId}/${by}/${decision}`, by, decision: decision === 'expire' ? 'deny' : decision };
    const waiting = domain.waitingCall(this.state, approvalId);
    if (!waiting || domain.isTaken(this.state, vote) || (decision !== 'expire' && domain.refusalOf(this.state, vote))) return;
    const { votes, verdict } = decision === 'expire' ? { votes: [], verdict: 'denied' as const } : domain.weigh(waiting, vote);
    const of = { turnId, step, callId, tool };
    if (!verdict) {
      this.write({ type: 'approval.voted', ...of, approvalId, by, decision: 'approve' });
      this.state = domain.recordVote(this.state, approvalId, votes, this.log.length);
      return;
    }
    this.write({ type: 'approval.decided', ...of, approvalId, decision: verdict, by: votes.map((one) => one.by) });
    if (verdict === 'denied') this.write({ type: 'tool.failed', ...of, code: 'tool/denied', message: 'no' });
    const next = verdict === 'edited' ? this.request(of, `${approvalId}+`, [by]) : undefined;
    this.state = domain.settle(this.state, { approvalId, verdict, decisionIds: votes.map(({ decisionId }) => decisionId), head: this.log.length, ...(next && { next: { inputAt: this.log.length, approval: next } }) });
  }

  /** The call asks the user, whose answer is its result. */
  private put(call: { turnId: string; step: number; callId: string; tool: string }): void {
    const questionId = `q-${call.callId}`;
    this.write({ type: 'question.asked', ...call, questionId, question: 'which?', expiresAt: '' });
    const head = this.log.length;
    this.state = domain.recordQuestion(this.state, { ...call, head, question: { questionId, askedAt: head, expiresAtMs: this.nowMs + 1_000 } });
  }

  /** The user answers one of the questions there have been, or nobody does in time. */
  answer(how: 'answers' | 'expires', pick: number): void {
    const asked = this.log.filter((event) => event.type === 'question.asked');
    const { questionId = '', turnId = '', step = 0, callId = '', tool = '' } = asked[pick % Math.max(1, asked.length)] ?? {};
    if (!domain.askingCall(this.state, questionId)) return;
    const call = { turnId, step, callId, tool };
    if (how === 'answers') this.write({ type: 'question.answered', ...call, questionId, answer: { text: 'this' } }, { type: 'tool.completed', ...call, output: { answer: 'this' } });
    else this.write({ type: 'question.closed', ...call, questionId, reason: 'expired' }, { type: 'tool.failed', ...call, code: 'question/expired', message: 'no' });
    this.state = domain.settleQuestion(this.state, questionId, this.log.length);
  }

  /** The user wants one of the turns that have ended taken back; sometimes the same request comes again. */
  wantUndone(pick: number): void {
    const ended = this.log.flatMap((event) => (event.type === 'turn.completed' ? [event.turnId] : []));
    const turnId = ended[pick % Math.max(1, ended.length)];
    if (turnId === undefined || this.state.closing) return;
    this.unwanted.add(turnId);
    this.state = domain.requestUndo(this.state, { undoId: `u${turnId}/${pick % 2}`, turnId, upTo: 1 });
  }

  /** As the activities do it: what the log says of the turn, a call, the end. */
  private undo({ undoId, turnId, calls }: domain.Undo): void {
    if (this.state.current) throw new Error('an undo in the middle of a turn');
    const [call] = calls ?? [];
    if (!calls) {
      const log = this.log.map((event, index) => ({ seq: index + 1, at: '', ...event }));
      this.state = domain.planUndo(this.state, undoCandidates(log, { turnId, undoId }));
    } else if (call) {
      this.log.push({ type: 'tool.undone', undoId, turnId, step: call.step, callId: call.callId, tool: call.tool });
      this.state = domain.recordUndone(this.state, this.log.length);
    } else {
      this.log.push({ type: 'undo.completed', undoId, turnId, undone: 0, failed: 0 });
      this.state = domain.finishUndo(this.state, this.log.length);
    }
  }

  get isQuiet(): boolean {
    return !this.thinking && this.using.size === 0 && (this.closed || (!domain.isBusy(this.state) && !this.state.closing));
  }

  /** A step's beginning and the answer cannot be written behind the turn's end: its batch fences them off. */
  private write(...events: EventBody[]): void {
    for (const event of events) {
      if ('turnId' in event && this.log.some((other) => other.type === 'turn.completed' && other.turnId === event.turnId)) throw new Error(`${event.type} behind the end of ${event.turnId}`);
      this.log.push(event);
    }
    this.state = domain.advance(this.state, this.log.length);
  }

  private beginThinking(): void {
    this.state = domain.takeSteering(this.state);
    const { current: turn } = this.state;
    if (!turn) throw new Error('thinks of nothing');
    const { turnId, step, announced, steering = [] } = turn;
    const opening: EventBody[] = [
      ...(step === 1 && !announced ? [{ type: 'turn.queued', turnId } as const] : []),
      ...(step === 1 && !turn.outOfBudget && !turn.compacting ? [{ type: 'turn.started', turnId, text: turnId } as const] : []),
      ...steering.map((messageId): EventBody => ({ type: 'turn.steered', turnId, step, messageId, text: messageId })),
      turn.compacting ? { type: 'step.reset', turnId, step, attempt: 2 } : { type: 'step.started', turnId, step },
    ];
    this.thinking = { turn, opening, isWritten: false };
  }

  private beginTools(): void {
    const { current: turn } = this.state;
    for (const call of domain.readyCalls(this.state)) if (turn && !this.using.has(call.callId)) this.using.set(call.callId, { turn, call, isBegun: false });
  }

  private ask({ turnId, step }: domain.CurrentTurn, pick: number): domain.OpenCall[] {
    const places = Array.from({ length: 1 + (pick % 3) }, () => ({ turnId, step, callId: `c${(this.calls += 1)}`, tool: this.calls % 3 === 0 ? 'ask_user' : 'x' }));
    for (const place of places) this.write({ type: 'tool.requested', ...place, input: {} });
    return places.map((place, index): domain.OpenCall => {
      const base = { callId: place.callId, tool: place.tool, requestedAt: this.log.length, timeoutMs: 1, maxAttempts: 1, ...((pick + index) % 2 === 0 && { finishes: true as const }) };
      return (pick >> index) % 2 === 0 ? base : { ...base, approval: this.request(place, `a-${place.callId}`, pick % 5 === 0 ? ['person-0'] : []) };
    });
  }

  private request(of: { turnId: string; step: number; callId: string; tool: string }, approvalId: string, barred: string[]): domain.PendingApproval {
    const quorum = 1 + (this.log.length % 2);
    this.write({ type: 'approval.requested', ...of, approvalId, argumentsHash: '', policyVersion: 1, quorum, barred, expiresAt: '', onExpiry: 'deny' });
    return { approvalId, quorum, barred, expiresAtMs: this.nowMs + 1_000, onExpiry: 'deny', votes: [] };
  }

  /** As the activity does it: what the log lacks, and then the end. */
  private endTurn({ turnId, announced, steering = [] }: domain.CurrentTurn, end: domain.TurnEnd): void {
    const ofTurn = this.log.map((event, index) => ({ seq: index + 1, at: '', ...event })).filter((event) => 'turnId' in event && event.turnId === turnId);
    const unseen = steering.filter((messageId) => !ofTurn.some((event) => event.type === 'turn.steered' && event.messageId === messageId));
    if (!announced && !ofTurn.some(({ type }) => type === 'turn.queued')) this.write({ type: 'turn.queued', turnId });
    this.write(...openApprovals(ofTurn).map(cancelledApproval), ...openQuestions(ofTurn).map(cancelledQuestion));
    this.write(...openCalls(ofTurn).map(({ step, callId, tool }): EventBody => ({ type: 'tool.failed', turnId, step, callId, tool, code: 'turn/ended', message: 'no' })));
    this.write({ type: 'turn.completed', turnId, ...end });
    this.state = domain.finishTurn(this.state, this.log.length, unseen);
  }
}

const pick = fc.nat(1_000);
type Step = (world: World) => void;
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom<OnBusy>('enqueue', 'steer', 'interrupt', 'reject').map((onBusy): Step => (world) => world.send(onBusy)) },
  { weight: 8, arbitrary: fc.tuple(fc.constantFrom('begins', 'answers', 'asks', 'asks', 'fails', 'dies', 'refused', 'too long'), pick).map(([how, n]): Step => (world) => world.think(how, n)) },
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom('begins', 'answers', 'fails'), pick).map(([how, n]): Step => (world) => world.tool(how, n)) },
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom('approve', 'approve', 'deny', 'edit', 'expire'), pick).map(([how, n]): Step => (world) => world.decide(how, n)) },
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('answers', 'answers', 'expires'), pick).map(([how, n]): Step => (world) => world.answer(how, n)) },
  { weight: 3, arbitrary: fc.constantFrom('raised', 'raised', 'given up').map((how): Step => (world) => world.budget(how)) },
  { weight: 1, arbitrary: pick.map((n): Step => (world) => world.cancel(n)) },
  { weight: 1, arbitrary: fc.constantFrom<domain.RestPoint>('turn', 'step').map((at): Step => (world) => world.hold(at)) },
  { weight: 2, arbitrary: fc.constant<Step>((world) => world.release()) },
  { weight: 2, arbitrary: fc.constant<Step>((world) => world.announce()) },
  { weight: 2, arbitrary: pick.map((n): Step => (world) => world.wantUndone(n)) },
  { weight: 2, arbitrary: fc.constant<Step>((world) => world.continueAsNew()) },
);

/** Everything that is under way comes to its end. */
function settleAll(world: World): void {
  world.release();
  for (let left = 3_000; !world.isQuiet && left > 0; left -= 1) {
    world.announce();
    world.proceed();
    world.budget('raised');
    world.think('answers', left);
    world.tool('answers', left);
    world.decide('approve', left);
    world.answer('answers', left);
    if (left % 5 === 0) world.decide('expire', left / 5);
  }
  expect(world.isQuiet).toBe(true);
}

function expectInvariants({ log, sent, state, closed, tooLong, unwanted }: World): void {
  const of = <Type extends EventBody['type']>(type: Type) => log.filter((event): event is Extract<EventBody, { type: Type }> => event.type === type);
  const ended = of('turn.completed').map(({ turnId }) => turnId);
  const joined = of('turn.steered').map(({ messageId }) => messageId);
  // Each message has a turn with one end, or joined another one, once; and no other turn is in the log.
  expect([...ended, ...joined].sort()).toEqual(sent.map(({ turnId }) => turnId).sort());
  expect(new Set(of('turn.started').map(({ turnId }) => turnId)).size).toBe(of('turn.started').length);
  expect(new Set(of('turn.queued').map(({ turnId }) => turnId)).size).toBe(of('turn.queued').length);
  // A step says once that it waits for budget, and once more when it has gone on meanwhile, with a summary.
  expect(new Set(of('budget.exhausted').map(({ turnId, step }) => `${turnId}/${step}`)).size).toBeGreaterThanOrEqual(of('budget.exhausted').length - tooLong.size);
  // A step's conversation is summarised once at most, and the state knows the last summary.
  expect(new Set(of('history.compacted').map(({ turnId, step }) => `${turnId}/${step}`)).size).toBe(of('history.compacted').length);
  expect(state.compaction?.upTo).toBe(of('history.compacted').at(-1)?.upTo);
  // Each request has one result; each approval one decision, before its call begins.
  const calls = (events: readonly { callId: string }[]) => events.map(({ callId }) => callId).sort();
  expect(calls([...of('tool.completed'), ...of('tool.failed')])).toEqual(calls(of('tool.requested')));
  expect(of('approval.decided').map(({ approvalId }) => approvalId).sort()).toEqual(of('approval.requested').map(({ approvalId }) => approvalId).sort());
  // Each question has one answer, or one end without.
  expect([...of('question.answered'), ...of('question.closed')].map(({ questionId }) => questionId).sort()).toEqual(of('question.asked').map(({ questionId }) => questionId).sort());
  for (const started of of('tool.started')) {
    const asked = log.filter((event) => event.type === 'approval.requested' && event.callId === started.callId);
    const approved = log.findIndex((event) => event.type === 'approval.decided' && event.callId === started.callId && event.decision === 'approved');
    if (asked.length > 0) expect([approved >= 0, approved < log.indexOf(started)]).toEqual([true, true]);
  }
  // What is taken back was done, each call once, the last of its turn first; and of a turn that was asked for, everything is.
  const undone = of('tool.undone');
  expect(new Set(undone.map(({ callId }) => callId)).size).toBe(undone.length);
  for (const turnId of unwanted) {
    const ofTurn = (event: { turnId: string }) => event.turnId === turnId;
    expect(undone.filter(ofTurn).map(({ callId }) => callId)).toEqual(of('tool.completed').filter(ofTurn).map(({ callId }) => callId).reverse());
  }
  expect(state.undos).toBeUndefined();
  // Messages that neither steered nor interrupted are answered in the order they came; so are those that interrupted.
  for (const kind of ['enqueue', 'interrupt'] as const) {
    const inOrder = sent.filter(({ onBusy }) => onBusy === kind).map(({ turnId }) => turnId);
    expect(ended.filter((turnId) => inOrder.includes(turnId))).toEqual(inOrder);
  }
  expect(problemOf(log)).toBeUndefined();
  expect(state.turnCount).toBe(ended.length);
  expect(log.at(-1)?.type === 'session.closed').toBe(closed);
}

/** Converse's rules: roles alternate, and each message's tool requests have their results, and no others, in the next. */
function problemOf(log: readonly EventBody[]): string | undefined {
  const messages = toModelMessages(log);
  for (const [index, { role, content }] of messages.entries()) {
    if (role !== (index % 2 === 0 ? 'user' : 'assistant')) return `message ${index} is of the ${role}`;
    const wanted = content.flatMap((block) => ('toolUse' in block ? [block.toolUse.callId] : [])).sort();
    const next = messages[index + 1]?.content ?? [];
    const given = next.flatMap((block) => ('toolResult' in block ? [block.toolResult.callId] : [])).sort();
    if (role === 'assistant' && wanted.join() !== given.join()) return `wanted ${wanted.join()}, given ${given.join()}`;
    const kinds = content.map((block) => 'toolResult' in block);
    if (kinds.lastIndexOf(true) > kinds.indexOf(false) && kinds.includes(false) && role === 'user') return 'a result behind words';
  }
  return undefined;
}

it('loses nothing, does nothing twice, and stays legal and in order, under any interleaving', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { minLength: 40, maxLength: 150, size: 'max' }), fc.boolean(), (steps, closes) => {
      const world = new World();
      for (const step of steps) {
        step(world);
        world.proceed();
      }
      if (closes) world.close();
      settleAll(world);
      expectInvariants(world);
    }),
    { numRuns: 500 },
  );
});
