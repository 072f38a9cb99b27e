import { AnswerBody, Question } from '../../src/contracts/question';
import type { EventBody, SessionEvent } from '../../src/contracts/events';
import { missingEnd } from '../../src/domain/draining';
import { problemWithAnswer, resultOfAnswer } from '../../src/domain/questions';
import {
  askingCall,
  beginTurn,
  canAct,
  close,
  describe as describeState,
  finishTurn,
  hold,
  isAtRest,
  isBeingPut,
  newSession,
  nextAction,
  type OpenCall,
  readyCalls,
  receive,
  recordQuestion,
  recordResult,
  recordThought,
  release,
  requestEnd,
  rest,
  type SessionState,
  settleQuestion,
  take,
  viewOf,
} from '../../src/domain/session';
import { withToolOutputRule } from '../../src/domain/tool-output-rule';

const limits = { maxSteps: 3, maxTurnMs: 60_000, historyTurns: 2 };
const call = (callId: string, tool = 'ask_user'): OpenCall => ({ callId, tool, requestedAt: 1, timeoutMs: 1_000, maxAttempts: 3 });
const working = (...calls: OpenCall[]) => recordThought(beginTurn(receive(newSession, 'turn-1'), 0), { head: 5, calls, limits });
const put = (state: SessionState, callId: string) => recordQuestion(state, { turnId: 'turn-1', callId, head: state.head + 2, question: { questionId: `qst-${callId}`, askedAt: state.head + 2, expiresAtMs: 10_000 } });
const answer = (callId: string, step = 1) => ({ questionId: `qst-${callId}`, answerId: 'ans', userId: 'user', turnId: 'turn-1', step, callId });

describe('a call that asks the user', () => {
  it('waits once it has asked, beside calls that run, and then alone', () => {
    const state = put(working(call('a'), call('b', 'calculator')), 'a');
    expect(nextAction(state)).toMatchObject({ do: 'useTools' });
    expect(readyCalls(state).map(({ callId }) => callId)).toEqual(['b']);
    expect(describeState(state)).toContain("waiting for the user's answer to `qst-a`, and using `calculator` in step 1 of turn 1");
    const alone = recordResult(state, { turnId: 'turn-1', callId: 'b', head: 9 });
    expect([nextAction(alone), canAct(alone)]).toEqual([{ do: 'wait' }, false]);
    expect(viewOf(alone)).toMatchObject({ state: 'waiting', waitingQuestions: 1, head: 9 });
    expect(viewOf(alone)).not.toHaveProperty('waitingApprovals');
  });

  it('is answered in any order; with the last answer the step is over', () => {
    const state = put(put(working(call('a'), call('b')), 'a'), 'b');
    const second = settleQuestion(state, 'qst-b', 12);
    expect([askingCall(second, 'qst-a')?.callId, askingCall(second, 'qst-b')]).toEqual(['a', undefined]);
    expect(nextAction(second)).toEqual({ do: 'wait' });
    expect(nextAction(settleQuestion(second, 'qst-a', 14))).toMatchObject({ do: 'think', turn: { step: 2 } });
  });

  it('can be answered before the workflow has heard of the question, and at no other call', () => {
    const state = working(call('a'), call('b'));
    expect(isBeingPut(state, answer('a'))).toBe(true);
    expect(isBeingPut(put(state, 'a'), answer('a'))).toBe(false);
    expect(isBeingPut(state, answer('c'))).toBe(false);
    expect(isBeingPut(state, answer('a', 2))).toBe(false);
    expect(isBeingPut(requestEnd(state, { outcome: 'cancelled' }), answer('a'))).toBe(false);
  });

  it('goes with its turn: an answer on its way changes nothing but the log', () => {
    const stopped = requestEnd(put(working(call('a')), 'a'), { outcome: 'interrupted' });
    expect(askingCall(stopped, 'qst-a')).toBeUndefined();
    expect(nextAction(stopped)).toMatchObject({ do: 'endTurn', end: { outcome: 'interrupted' } });
    expect(settleQuestion(finishTurn(stopped, 12), 'qst-a', 14)).toMatchObject({ head: 14, turnCount: 1 });
  });

  it('keeps no session from closing or from coming to rest', () => {
    const state = rest(put(working(call('a')), 'a'), 100);
    expect(nextAction(close(state))).toMatchObject({ do: 'endTurn', end: { outcome: 'cancelled', code: 'session/closed' } });
    expect(isAtRest(hold(state, 'turn', 200))).toBe(true);
    // Nobody could answer while the tenant was suspended.
    expect(askingCall(release(hold(state, 'step', 200), 5_200), 'qst-a')?.question.expiresAtMs).toBe(15_000);
  });
});

it('a turn knows whether somebody is there', () => {
  const begun = (unattended?: true) => beginTurn(take(newSession, { turnId: 'turn-1', onBusy: 'enqueue', ...(unattended && { unattended }) }), 0).current;
  expect(begun(true)?.unattended).toBe(true);
  expect(begun()).not.toHaveProperty('unattended');
});

describe('an answer', () => {
  const open: Question = { question: 'Which one?' };
  const one: Question = { ...open, options: ['red', 'blue'] };
  const several: Question = { ...one, multiple: true };

  it.each<[string, Question, AnswerTo, string | undefined]>([
    ['words to an open question', open, { text: 'the green one' }, undefined],
    ['choices where there are none', open, { choices: ['red'] }, 'has no options'],
    ['an option', one, { choices: ['red'] }, undefined],
    ['words in place of an option', one, { text: 'red' }, 'Answer with choices'],
    ['none of the options', one, { choices: ['green'] }, '"green" is not among the options'],
    ['two where one is asked for', one, { choices: ['red', 'blue'] }, 'Only one'],
    ['two where several may be chosen', several, { choices: ['red', 'blue'] }, undefined],
    ['one twice', several, { choices: ['red', 'red'] }, 'named twice'],
  ])('of %s', (_name, question, given, problem) => {
    const found = problemWithAnswer(question, given);
    if (problem === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(problem);
  });

  it('is the result of the call', () => {
    expect(resultOfAnswer(open, { text: 'green' })).toEqual({ answer: 'green' });
    expect(resultOfAnswer(one, { choices: ['red'] })).toEqual({ answer: 'red' });
    expect(resultOfAnswer(several, { choices: ['red'] })).toEqual({ answer: ['red'] });
  });

  it('is bounded, and says something', () => {
    expect([{ text: ' ' }, { text: 'x'.repeat(32_001) }, { choices: [] }, {}, { text: 'a', choices: ['b'] }].filter((body) => AnswerBody.safeParse(body).success)).toEqual([]);
  });
});

type AnswerTo = Parameters<typeof problemWithAnswer>[1];

it('a question is bounded, and its options differ', () => {
  const flawed = [{}, { question: ' ' }, { question: 'x'.repeat(2_001) }, { question: 'x', options: ['a'] }, { question: 'x', options: ['a', ' a'] }, { question: 'x', options: Array.from({ length: 11 }, String) }, { question: 'x', other: 1 }];
  expect(flawed.filter((question) => Question.safeParse(question).success)).toEqual([]);
});

it('the log of a session that is cut off closes open questions, before the result of their calls', () => {
  const of = { turnId: 'a', step: 1, callId: 'c1', tool: 'ask_user' };
  const asked = (questionId: string): EventBody => ({ type: 'question.asked', ...of, questionId, question: 'Which?', expiresAt: '2026-01-02T00:00:00.000Z' });
  const events: EventBody[] = [{ type: 'turn.started', turnId: 'a', text: 'x' }, { type: 'tool.requested', ...of, input: {} }, asked('qst-1'), { type: 'question.closed', ...of, questionId: 'qst-1', reason: 'expired' }, asked('qst-2')];
  const log = events.map((event, index): SessionEvent => ({ ...event, seq: index + 1, at: '2026-01-01T00:00:00.000Z' }));
  expect(missingEnd(log)).toMatchObject([{ type: 'question.closed', questionId: 'qst-2', reason: 'cancelled' }, { type: 'tool.failed', ...of }, { type: 'turn.completed' }, { type: 'session.closed' }]);
});

it('the model is told whose words the answer are, when it can ask', () => {
  expect(withToolOutputRule('Be brief.', ['ask_user'])).toContain('What ask_user returns as `answer` is the one exception');
  expect(withToolOutputRule('Be brief.', ['calculator'])).not.toContain('ask_user');
});
