import type { SessionRef } from '../contracts/session';

/** One tool call of a session. */
export interface CallRef extends SessionRef {
  readonly turnId: string;
  readonly step: number;
  readonly callId: string;
  /** Not the call, but taking it back. */
  readonly undoId?: string;
}

/** How far a call has come that changes something. */
export type CallProgress =
  | { readonly state: 'begun' }
  /** Its result is in the log. @see resultAt - sequence number of that event */
  | { readonly state: 'finished'; readonly resultAt: number };

/** Calls that change something, each noted before it begins. What is only read, or can be repeated, is not in it. */
export interface ToolLedger {
  /**
   * Notes that an attempt begins now, unless an earlier one did.
   * @param attempt - of this attempt alone
   * @returns how far an earlier attempt has come; undefined when there was none.
   */
  begin(call: CallRef & { readonly tool: string }, attempt: string): Promise<CallProgress | undefined>;
  /** Notes that the attempt has come to nothing: another one may begin. */
  release(call: CallRef): Promise<void>;
  finish(call: CallRef, resultAt: number): Promise<void>;
  find(call: CallRef): Promise<CallProgress | undefined>;
}
