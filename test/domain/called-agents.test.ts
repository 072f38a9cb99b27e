import { CalledAgent, maxErrandDepth } from '../../src/contracts/called-agent';
import type { SessionRecord } from '../../src/contracts/session';
import { AgentConfig } from '../../src/contracts/tenant';
import { mustAgree } from '../../src/domain/agents';
import { circleFrom, errandOf, mustHaveNamesOfTheirOwn, settingsOnErrand } from '../../src/domain/called-agents';
import { withChildren } from '../../src/domain/erasure';
import { beginTurn, hold, isAtRest, isErrandDone, newErrand, newSession, nextAction, receive, recordChild, recordResult, recordThought, release } from '../../src/domain/session';

const called = (agent: string, more: object = {}) => CalledAgent.parse({ agent, description: 'Knows.', ...more });
const settings = (more: object = {}) => AgentConfig.parse({ tools: ['calculator'], ...more });

describe('circles', () => {
  it.each<[string, Record<string, string[]>, string[] | undefined]>([
    ['itself', { a: ['a'] }, ['a', 'a']],
    ['a way back', { a: ['b'], b: ['c'], c: ['a'] }, ['a', 'b', 'c', 'a']],
    ['a circle further down, which it is not part of', { a: ['b'], b: ['c'], c: ['b'] }, ['b', 'c', 'b']],
    ['two ways to one agent, which is none', { a: ['b', 'c'], b: ['d'], c: ['d'], d: [] }, undefined],
    ['nobody', { a: [] }, undefined],
  ])('%s', (_name, calls, circle) => {
    expect(circleFrom('a', new Map(Object.entries(calls)))).toEqual(circle);
  });
});

describe('names', () => {
  it.each<[string, object[]]>([
    ['of a built-in tool', [called('calculator')]],
    ['given twice', [called('research'), called('other', { tool: 'research' })]],
  ])('are refused: %s', (_name, agents) => {
    expect(() => mustHaveNamesOfTheirOwn(settings({ agents }), ['calculator'])).toThrow('is taken by another tool');
  });

  it('are the agents’ own otherwise; never those of tools of sources', () => {
    expect(() => mustHaveNamesOfTheirOwn(settings({ agents: [called('research@3'), called('research@4', { tool: 'research_new' })] }), ['calculator'])).not.toThrow();
    expect(CalledAgent.safeParse({ agent: 'research', description: 'x', tool: 'orders__list' }).success).toBe(false);
  });

  it('count for the rules of approvals', () => {
    const approvals = { rules: [{ tool: 'research', decision: 'ask' }] };
    expect(() => mustAgree(settings({ agents: [called('research@3')], approvals }))).not.toThrow();
    expect(() => mustAgree(settings({ approvals }))).toThrow('no tool research');
  });
});

it('lists no more than eight agents', () => {
  const agents = Array.from({ length: 9 }, (_, index) => called(`agent-${index}`));
  expect(AgentConfig.safeParse({ agents }).success).toBe(false);
  expect(AgentConfig.safeParse({ agents: agents.slice(1) }).success).toBe(true);
});

describe('an errand', () => {
  it('is one deeper than who calls, with the bounds of the call', () => {
    expect(errandOf(called('research', { budget: { tokens: 5 }, timeoutSeconds: 9 }), { turnId: 'turn-1', depth: 1 })).toEqual({ turnId: 'turn-1', depth: 2, budget: { tokens: 5 }, timeoutMs: 9_000 });
  });

  it('has the least of both budgets and times, and waits for no more', () => {
    const own = settings({ maxTurnSeconds: 60, budgets: { session: { tokens: 100, modelCalls: 3 }, onExhausted: 'pause' } });
    const bounded = settingsOnErrand(own, { turnId: 'turn-1', depth: 1, budget: { tokens: 500, microUsd: 7, modelCalls: 2 }, timeoutMs: 30_000 });
    expect(bounded).toMatchObject({ maxTurnSeconds: 30, budgets: { session: { tokens: 100, modelCalls: 2, microUsd: 7 }, onExhausted: 'end' } });
    expect(settingsOnErrand(own, { turnId: 'turn-1', depth: 1 }).maxTurnSeconds).toBe(60);
  });

  it('learns nothing of the user: a model has written what it is asked', () => {
    const own = settings({ memory: { retrieve: { most: 3 }, extract: true } });
    expect(settingsOnErrand(own, { turnId: 'turn-1', depth: 1 }).memory).toEqual({ retrieve: { most: 3 }, extract: false });
  });

  it('calls nobody at the largest depth, whatever its settings say', () => {
    const own = settings({ agents: [called('research')] });
    const calls = (depth: number) => settingsOnErrand(own, { turnId: 'turn-1', depth }).agents;
    expect(calls(maxErrandDepth - 1)).toHaveLength(1);
    expect(calls(maxErrandDepth)).toEqual([]);
  });
});

describe('a turn that waits for another agent', () => {
  const limits = { maxSteps: 3, maxTurnMs: 60_000, historyTurns: 30 };
  const call = { callId: 'a', tool: 'research', requestedAt: 1, timeoutMs: 1, maxAttempts: 1, childSessionId: 'ses-2' };
  const working = recordThought(beginTurn(receive(newSession, 'turn-1'), 0), { head: 4, calls: [call], limits });
  const waiting = recordChild(working, { turnId: 'turn-1', callId: 'a', head: 5 }, 10);

  it('rests where that one rests: before a step, not at the end of the turn', () => {
    expect(isAtRest(hold(waiting, 'turn', 20))).toBe(false);
    const held = hold(waiting, 'step', 20);
    expect(isAtRest(held)).toBe(true);
    expect(release(held, 120).current?.startedAtMs).toBe(100);
    expect(isAtRest(hold(working, 'step', 20))).toBe(false);
    expect(isAtRest(recordChild(hold(working, 'step', 20), { turnId: 'turn-1', callId: 'a', head: 5 }, 30))).toBe(true);
  });

  it('goes on with the result', () => {
    expect(recordResult(waiting, { turnId: 'turn-1', callId: 'a', head: 9 })).toMatchObject({ head: 9, current: { calls: [], step: 2 } });
  });

  it('has no more time in its first step than its errand', () => {
    expect(newErrand({ turnId: 'turn-1', depth: 1, timeoutMs: 5_000 }, 0).limits.maxTurnMs).toBe(5_000);
    expect(newErrand({ turnId: 'turn-1', depth: 1 }, 0).limits).toEqual(newSession.limits);
  });

  it('is itself at work from the first: it finishes where turns are let finish, then closes, and has nobody to ask', () => {
    const errand = newErrand({ turnId: 'task', depth: 1 }, 0);
    expect(errand.current).toMatchObject({ turnId: 'task', unattended: true, step: 1 });
    expect(nextAction(hold(errand, 'turn', 5))).toMatchObject({ do: 'think' });
    expect(isErrandDone(errand)).toBe(false);
    expect(isErrandDone(recordThought(errand, { head: 4, outcome: 'completed', calls: [], limits }))).toBe(true);
  });
});

it('an erased session goes with all that agents worked in for it', () => {
  const record = (sessionId: string, parentId?: string): SessionRecord => ({
    tenantId: 'acme',
    sessionId,
    userId: 'ann',
    createdAt: new Date(0).toISOString(),
    ...(parentId !== undefined && { parent: { sessionId: parentId, turnId: 'turn-1', step: 1, callId: 'a', depth: 1 } }),
  });
  const others = [record('a'), record('b', 'a'), record('c', 'b'), record('d'), record('e', 'd')];
  expect(withChildren(record('a'), others).map(({ sessionId }) => sessionId)).toEqual(['a', 'b', 'c']);
});
