import { advance, type CurrentTurn, type OpenCall, type SessionState } from './state';

/** Whether a call cannot go on before somebody has said something: an approver, or the user. */
export const waitsForPeople = ({ approval, question }: OpenCall): boolean => approval !== undefined || question !== undefined;

/** Whether the turn can only go on when people have said something. */
export const onlyWaitsForPeople = ({ calls }: Pick<CurrentTurn, 'calls'>): boolean => calls.length > 0 && calls.every(waitsForPeople);

/** Whether all that the turn does is done by others: people who are to say something, agents it has called. */
export const onlyWaitsForOthers = ({ calls }: Pick<CurrentTurn, 'calls'>): boolean => calls.length > 0 && calls.every((call) => waitsForPeople(call) || call.isWithChild);

/** Calls that can run now. */
export const readyCalls = ({ current }: SessionState): OpenCall[] => (current && !current.end ? current.calls.filter((call) => !waitsForPeople(call)) : []);

/** Calls that can begin beside those that run: no more of a tool at once than it takes. */
export function startableCalls(state: SessionState, running: ReadonlySet<string>): OpenCall[] {
  const ready = readyCalls(state);
  const counts = new Map<string, number>();
  const count = ({ tool }: OpenCall) => counts.get(tool) ?? 0;
  const begin = (call: OpenCall) => counts.set(call.tool, count(call) + 1);
  for (const call of ready) if (running.has(call.callId)) begin(call);
  return ready.filter((call) => {
    if (running.has(call.callId) || count(call) >= (call.maxAtOnce ?? Infinity)) return false;
    begin(call);
    return true;
  });
}

/** A call of the log, and where the log ends since something has become of it. */
export interface CallPlace {
  readonly turnId: string;
  readonly callId: string;
  readonly head: number;
}

/** A call has its result in the log. */
export const recordResult = (state: SessionState, place: CallPlace): SessionState => changeCallAt(state, place, () => []);

/** When the turn was stopped meanwhile, only the log has grown. */
export const changeCallAt = (state: SessionState, { turnId, callId, head }: CallPlace, change: (call: OpenCall) => OpenCall[]): SessionState =>
  state.current?.turnId === turnId ? changeCalls(advance(state, head), (call) => (call.callId === callId ? change(call) : [call])) : advance(state, head);

/** With the last result the step is over. A turn that has no calls is at something else. */
export function changeCalls(state: SessionState, change: (call: OpenCall) => OpenCall[]): SessionState {
  const { current } = state;
  if (!current || current.calls.length === 0) return state;
  const calls = current.calls.flatMap(change);
  return { ...state, current: { ...current, calls, step: calls.length === 0 ? current.step + 1 : current.step } };
}
