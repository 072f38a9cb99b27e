import type { EventBody, SessionEvent } from '../../src/contracts/events';
import { cancelTurnsAtMs, drainStageAt, missingEnd } from '../../src/domain/draining';

const logOf = (...events: EventBody[]): SessionEvent[] => events.map((event, index) => ({ ...event, seq: index + 1, at: '2026-01-01T00:00:00.000Z' }));
const queued = (turnId: string): EventBody => ({ type: 'turn.queued', turnId });
const started = (turnId: string): EventBody => ({ type: 'turn.started', turnId, text: 'hello' });
const completed = (turnId: string): EventBody => ({ type: 'turn.completed', turnId, outcome: 'completed' });

describe('when turns are cancelled', () => {
  it('is after the time they were given, or at once', () => {
    expect(cancelTurnsAtMs({ policy: 'wait', seconds: 30 }, 1_000)).toBe(31_000);
    expect(cancelTurnsAtMs({ policy: 'stop', seconds: 30 }, 1_000)).toBe(1_000);
  });

  it('comes before they are terminated, half a minute later', () => {
    expect([999, 1_000, 30_999, 31_000].map((nowMs) => drainStageAt(nowMs, 1_000))).toEqual(['close', 'cancel', 'cancel', 'terminate']);
  });
});

describe('what a log lacks of its end', () => {
  it('is nothing when the session is closed', () => {
    expect(missingEnd(logOf({ type: 'session.started' }, queued('a'), started('a'), completed('a'), { type: 'session.closed' }))).toEqual([]);
  });

  it('is the end alone when no turn is open', () => {
    expect(missingEnd(logOf({ type: 'session.started' }, queued('a'), started('a'), completed('a')))).toEqual([{ type: 'session.closed' }]);
    expect(missingEnd([])).toEqual([{ type: 'session.closed' }]);
  });

  it('is the result of open tools, then the end of each open turn, running or waiting', () => {
    const call = { turnId: 'a', step: 1, callId: 'c1', tool: 'calculator' };
    const log = logOf(
      queued('a'),
      started('a'),
      { type: 'tool.requested', ...call, input: {} },
      { type: 'tool.requested', ...call, callId: 'c2', input: {} },
      { type: 'tool.completed', ...call, callId: 'c2', output: 1 },
      queued('b'),
    );
    expect(missingEnd(log)).toMatchObject([
      { type: 'tool.failed', ...call, code: 'tenant/leaving' },
      { type: 'turn.completed', turnId: 'a', outcome: 'cancelled', code: 'tenant/leaving' },
      { type: 'turn.completed', turnId: 'b', outcome: 'cancelled', code: 'tenant/leaving' },
      { type: 'session.closed' },
    ]);
    expect(missingEnd(logOf(...log, ...missingEnd(log)))).toEqual([]);
  });

  it('cancels approvals that nobody has decided', () => {
    const call = { turnId: 'a', step: 1, callId: 'c1', tool: 'http_request' };
    const terms = { policyVersion: 1, quorum: 1, barred: [], expiresAt: '2026-01-02T00:00:00.000Z', onExpiry: 'deny' as const };
    const asked = { type: 'approval.requested' as const, ...call, argumentsHash: '', ...terms };
    const edited: EventBody[] = [
      { ...asked, approvalId: 'apr-1' },
      { type: 'approval.decided', ...call, approvalId: 'apr-1', decision: 'edited', by: ['ann'] },
      { ...asked, approvalId: 'apr-2' },
    ];
    expect(missingEnd(logOf(started('a'), { type: 'tool.requested', ...call, input: {} }, ...edited))).toMatchObject([
      { type: 'approval.decided', approvalId: 'apr-2', decision: 'cancelled', by: [] },
      { type: 'tool.failed', ...call },
      { type: 'turn.completed', turnId: 'a' },
      { type: 'session.closed' },
    ]);
  });
});
