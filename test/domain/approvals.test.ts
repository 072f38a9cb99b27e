import { ApprovalPolicy, ArgumentCondition } from '../../src/contracts/approval';
import { argumentsHash } from '../../src/contracts/arguments-hash';
import { rulingOn } from '../../src/domain/approval-policy';
import {
  beginTurn,
  canAct,
  close,
  type Decision,
  describe as describeState,
  finishTurn,
  hold,
  isAtRest,
  isTaken,
  newSession,
  nextAction,
  type OpenCall,
  readyCalls,
  receive,
  recordResult,
  recordThought,
  recordVote,
  refusalOf,
  release,
  requestEnd,
  rest,
  type SessionState,
  settle,
  startableCalls,
  viewOf,
  waitingCall,
  wake,
  weigh,
} from '../../src/domain/session';

const limits = { maxSteps: 3, maxTurnMs: 60_000, historyTurns: 2 };
const call = (callId: string, changes: Partial<OpenCall['approval']> = {}): OpenCall => ({
  callId,
  tool: 'http_request',
  requestedAt: 1,
  timeoutMs: 1_000,
  maxAttempts: 3,
  approval: { approvalId: `apr-${callId}`, quorum: 1, barred: [], expiresAtMs: 10_000, onExpiry: 'deny', votes: [], ...changes },
});
const free = (callId: string): OpenCall => ({ callId, tool: 'calculator', requestedAt: 1, timeoutMs: 1_000, maxAttempts: 3 });
const asking = (...calls: OpenCall[]) => recordThought(beginTurn(receive(newSession, 'turn-1'), 0), { head: 5, calls, limits });
const says = (approvalId: string, by = 'ann', decision: Decision['decision'] = 'approve'): Decision => ({ approvalId, by, decision, decisionId: `${approvalId}/${by}/${decision}` });

/** As the workflow carries a decision out. */
function decide(state: SessionState, decision: Decision): SessionState {
  const waiting = waitingCall(state, decision.approvalId);
  if (!waiting || refusalOf(state, decision)) throw new Error('refused');
  const { votes, verdict } = weigh(waiting, decision);
  const head = state.head + 2;
  return verdict
    ? settle(state, { approvalId: decision.approvalId, verdict, decisionIds: votes.map(({ decisionId }) => decisionId), head })
    : recordVote(state, decision.approvalId, votes, head);
}

describe('a step that asks', () => {
  it('runs what needs nobody, and waits for the rest', () => {
    const state = asking(free('a'), call('b'));
    expect(readyCalls(state).map(({ callId }) => callId)).toEqual(['a']);
    const waiting = recordResult(state, { turnId: 'turn-1', callId: 'a', head: 7 });
    expect(nextAction(waiting).do).toBe('wait');
    expect(canAct(waiting)).toBe(false);
    expect(viewOf(waiting)).toMatchObject({ state: 'waiting', waitingApprovals: 1 });
    expect(describeState(waiting)).toContain('waiting for approval of `http_request` (`apr-b`)');
  });

  it('begins no more calls of a tool at once than it takes, whatever else runs', () => {
    const one = (callId: string): OpenCall => ({ ...free(callId), tool: 'slow', maxAtOnce: 1 });
    const state = asking(one('a'), free('b'), one('c'), call('d'));
    const ids = (running: string[], of = state) => startableCalls(of, new Set(running)).map(({ callId }) => callId);
    expect(ids([])).toEqual(['a', 'b']);
    expect(ids(['a', 'b'])).toEqual([]);
    expect(ids(['b'], recordResult(state, { turnId: 'turn-1', callId: 'a', head: 7 }))).toEqual(['c']);
  });

  it('takes decisions in any order, and goes on when each call has its result', () => {
    const first = decide(asking(call('a'), call('b')), says('apr-b'));
    expect(nextAction(first).do).toBe('useTools');
    expect(readyCalls(first).map(({ callId }) => callId)).toEqual(['b']);
    const second = decide(recordResult(first, { turnId: 'turn-1', callId: 'b', head: 9 }), says('apr-a', 'ann', 'deny'));
    expect(nextAction(second)).toMatchObject({ do: 'think', turn: { step: 2 } });
  });

  it('asks anew for edited arguments, and runs with those', () => {
    const { approval } = call('a', { approvalId: 'apr-2', barred: ['ann'] });
    if (!approval) throw new Error('asked');
    const edited = settle(asking(call('a')), { approvalId: 'apr-a', verdict: 'edited', decisionIds: ['d'], head: 9, next: { inputAt: 9, approval } });
    expect(refusalOf(edited, says('apr-a'))).toBe('approval/closed');
    expect(refusalOf(edited, says('apr-2'))).toBe('approval/own-request');
    expect(readyCalls(decide(edited, says('apr-2', 'bob')))).toMatchObject([{ callId: 'a', inputAt: 9 }]);
  });

  it('does not count the time it waits, and counts no step', () => {
    const waiting = rest(asking(call('a')), 1_000);
    const approved = wake(decide(waiting, says('apr-a')), 901_000);
    expect(approved.current).toMatchObject({ startedAtMs: 900_000, step: 1 });
  });
});

describe('a decision', () => {
  it('needs as many people as the policy says, each once; one who denies is enough', () => {
    const one = decide(asking(call('a', { quorum: 2 })), says('apr-a', 'ann'));
    expect(nextAction(one).do).toBe('wait');
    expect(refusalOf(one, says('apr-a', 'ann'))).toBe('approval/already-voted');
    expect(isTaken(one, says('apr-a', 'ann'))).toBe(true);
    expect(nextAction(decide(one, says('apr-a', 'bob'))).do).toBe('useTools');
    expect(nextAction(decide(one, says('apr-a', 'bob', 'deny')))).toMatchObject({ do: 'think', turn: { step: 2 } });
  });

  it('is no approval when it is the requester\'s own and the policy wants another\'s; they may deny', () => {
    const state = asking(call('a', { barred: ['ann'] }));
    expect(refusalOf(state, says('apr-a', 'ann'))).toBe('approval/own-request');
    expect(refusalOf(state, says('apr-a', 'ann', 'deny'))).toBeUndefined();
  });

  it('counts once: sent again it is recognised, another one is refused', () => {
    const decided = decide(asking(call('a'), call('b')), says('apr-a'));
    expect(isTaken(decided, says('apr-a'))).toBe(true);
    expect(isTaken(decided, says('apr-a', 'ann', 'deny'))).toBe(false);
    expect(refusalOf(decided, says('apr-a', 'ann', 'deny'))).toBe('approval/closed');
  });

  it('comes to nothing when the turn has ended meanwhile, and moves no other turn', () => {
    const ending = requestEnd(asking(call('a')), { outcome: 'interrupted' });
    expect(refusalOf(ending, says('apr-a'))).toBe('approval/closed');
    const next = beginTurn(receive(finishTurn(ending, 9), 'turn-2'), 0);
    const late = settle(next, { approvalId: 'apr-a', verdict: 'denied', decisionIds: ['d'], head: 20 });
    expect(late.current).toMatchObject({ turnId: 'turn-2', step: 1 });
    expect(recordResult(next, { turnId: 'turn-1', callId: 'a', head: 20 }).current).toEqual(next.current);
  });
});

describe('a session that waits for people', () => {
  it('closes at once', () => {
    expect(nextAction(close(asking(call('a'))))).toMatchObject({ do: 'endTurn', end: { outcome: 'cancelled', code: 'session/closed' } });
    expect(nextAction(close(asking(call('a'), free('b')))).do).toBe('useTools');
  });

  it.each(['turn', 'step'] as const)('rests at once when it is held at a %s, and nobody\'s time runs out meanwhile', (at) => {
    const held = rest(hold(rest(asking(call('a')), 1_000), at, 2_000), 2_000);
    expect(isAtRest(held)).toBe(true);
    const approved = decide(held, says('apr-a'));
    expect(nextAction(approved).do).toBe('wait');
    expect(nextAction(release(approved, 50_000)).do).toBe('useTools');
    const released = release(held, 52_000);
    expect(waitingCall(released, 'apr-a')?.approval.expiresAtMs).toBe(60_000);
    expect(isAtRest(released)).toBe(false);
    // It goes on waiting for people: that time does not count either.
    expect(wake(decide(released, says('apr-a')), 152_000).current?.startedAtMs).toBe(151_000);
  });
});

describe('a policy', () => {
  const policy = ApprovalPolicy.parse({
    rules: [
      { tool: 'http_request', when: [{ pointer: '/url', is: 'starts_with', value: 'https://bank.example/' }], decision: 'deny' },
      { tool: 'http_request', when: [{ pointer: '/method', is: 'one_of', value: ['POST', 'PUT'] }, { pointer: '/body/amount', is: 'less_than', value: 100 }], decision: 'allow' },
      { tool: 'mcp_*', decision: 'ask', quorum: 2, notRequester: true, onExpiry: 'approve' },
    ],
    terms: { expiresAfterSeconds: 60 },
  });
  const of = (tool: string, input: object, effect: 'read' | 'idempotent' | 'write' = 'write') => rulingOn(policy, { tool, input: input as never, effect });

  it('is decided by the first rule that fits, all its conditions holding', () => {
    expect(of('http_request', { url: 'https://bank.example/pay', method: 'POST', body: { amount: 5 } }).decision).toBe('deny');
    expect(of('http_request', { url: 'https://shop.example', method: 'POST', body: { amount: 99 } }).decision).toBe('allow');
    expect(of('http_request', { url: 'https://shop.example', method: 'POST', body: { amount: 100 } }).decision).toBe('ask');
    expect(of('http_request', { url: 'https://shop.example', method: 'POST', body: { amount: '5' } }).decision).toBe('ask');
  });

  it('falls back on what the tool does: reading is allowed, writing is asked for', () => {
    expect([of('x', {}, 'read'), of('x', {}, 'idempotent'), of('x', {})].map(({ decision }) => decision)).toEqual(['allow', 'allow', 'ask']);
    expect(rulingOn(undefined, { tool: 'x', input: {}, effect: 'write' })).toEqual({ decision: 'allow' });
  });

  it('follows what the tool itself asks for where no rule fits, with or without a policy', () => {
    const refund = { tool: 'refund', input: {}, effect: 'write', usual: 'ask' } as const;
    expect(rulingOn(undefined, refund).decision).toBe('ask');
    expect(rulingOn(ApprovalPolicy.parse({ otherwise: { write: 'deny' } }), refund).decision).toBe('ask');
    expect(rulingOn(ApprovalPolicy.parse({ rules: [{ tool: 'ref*', decision: 'allow' }] }), refund).decision).toBe('allow');
  });

  it('asks on the terms of the rule, then of the policy, then the usual ones', () => {
    expect(of('mcp_pay', {})).toEqual({ decision: 'ask', terms: { quorum: 2, notRequester: true, expiresAfterSeconds: 60, onExpiry: 'approve' } });
    expect(of('x', {})).toEqual({ decision: 'ask', terms: { quorum: 1, notRequester: false, expiresAfterSeconds: 60, onExpiry: 'deny' } });
  });

  const holds = (condition: object, input: object) =>
    rulingOn(ApprovalPolicy.parse({ rules: [{ tool: '*', when: [condition], decision: 'deny' }] }), { tool: 'x', input: input as never, effect: 'read' }).decision === 'deny';
  it.each([
    [{ pointer: '/a~1b/~0c/1', is: 'equals', value: 2 }, { 'a/b': { '~c': [1, 2] } }, true],
    [{ pointer: '', is: 'equals', value: { b: [1, { c: null }], a: 1 } }, { a: 1, b: [1, { c: null }] }, true],
    [{ pointer: '/toString', is: 'present' }, {}, false],
    [{ pointer: '/a', is: 'absent' }, {}, true],
    [{ pointer: '/a', is: 'not_equals', value: 1 }, {}, true],
    [{ pointer: '/a', is: 'more_than', value: 1 }, { a: 1 }, false],
    [{ pointer: '/a', is: 'at_least', value: 1 }, { a: 1 }, true],
    [{ pointer: '/a', is: 'at_most', value: 1 }, { a: 1 }, true],
    [{ pointer: '/a', is: 'ends_with', value: 'c' }, { a: 'abc' }, true],
    [{ pointer: '/a', is: 'contains', value: 'b' }, { a: ['b'] }, true],
    [{ pointer: '/a/0', is: 'equals', value: 'b' }, { a: 'b' }, false],
  ])('holds %j against %j: %s', (condition, input, expected) => expect(holds(condition, input)).toBe(expected));

  it.each([{ pointer: 'a', is: 'present' }, { pointer: '/a', is: 'equals' }, { pointer: '/a', is: 'present', value: 1 }, { pointer: '/a', is: 'more_than', value: '1' }, { pointer: '/a', is: 'one_of', value: 1 }])(
    'refuses the condition %j',
    (condition) => expect(ArgumentCondition.safeParse(condition).success).toBe(false),
  );
});

it('names arguments whatever the order of their properties', () => {
  expect(argumentsHash({ b: 1, a: { d: [2, 1], c: 'x' } })).toBe(argumentsHash({ a: { c: 'x', d: [2, 1] }, b: 1 }));
  expect(argumentsHash({ a: 1 })).not.toBe(argumentsHash({ a: '1' }));
});
