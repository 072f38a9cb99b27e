import type { GivenAnswer } from '../../contracts/question';
import { type CallPlace, changeCallAt, changeCalls } from './calls';
import { advance, type OpenCall, type PendingQuestion, type SessionState } from './state';

export type { GivenAnswer };

/** A call that waits for the user's answer. */
export type AskingCall = OpenCall & { readonly question: PendingQuestion };

export const waitsForAnswer = (call: OpenCall): call is AskingCall => call.question !== undefined;

export const askingCalls = ({ current }: SessionState): AskingCall[] => (current && !current.end ? current.calls.filter(waitsForAnswer) : []);

export const askingCall = (state: SessionState, questionId: string): AskingCall | undefined => askingCalls(state).find(({ question }) => question.questionId === questionId);

/**
 * Whether the call that asks is not through yet: its question can be seen from when it is in the log, a moment before the workflow
 * hears of it, and for longer when the worker dies in between.
 */
export const isBeingPut = ({ current }: SessionState, { turnId, step, callId }: GivenAnswer): boolean =>
  current !== undefined && !current.end && current.turnId === turnId && current.step === step && current.calls.some((call) => call.callId === callId && !waitsForAnswer(call));

/** The call has asked: from now on it waits for the answer. */
export const recordQuestion = (state: SessionState, { question, ...place }: CallPlace & { readonly question: PendingQuestion }): SessionState => changeCallAt(state, place, (call) => [{ ...call, question }]);

/** The answer is in the log, or that there is none, and with it the call's result. When the turn was stopped meanwhile, only the log has grown. */
export const settleQuestion = (state: SessionState, questionId: string, head: number): SessionState =>
  changeCalls(advance(state, head), (call) => (call.question?.questionId === questionId ? [] : [call]));
