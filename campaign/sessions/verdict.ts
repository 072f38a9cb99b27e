import { isDeepStrictEqual } from 'node:util';
import type { LiveEntry, SessionEvent } from '../../src/contracts/events';
import type { Turn, User } from '../../src/local/demo/user';

const isDurable = (entry: LiveEntry): entry is SessionEvent => entry.type !== 'text.delta';

/** Objects of one realm: what fetch parses and what we parse need not be. */
const plain = (events: readonly SessionEvent[]): unknown => JSON.parse(JSON.stringify(events));

/** Numbers that are not 1, 2, 3 … */
export const problemsOfNumbers = (log: readonly SessionEvent[]): string[] => (log.every(({ seq }, index) => seq === index + 1) ? [] : ['its log has gaps or repetitions']);

/** Of a session of one turn. Empty when nothing is lost, nothing twice and nothing out of order, and its reader saw what was written. */
export async function problemsOfTurn(user: User, turn: Turn, saysWhatItShould: (answer: string) => boolean): Promise<string[]> {
  const log = await user.log(turn.sessionId);
  const count = (type: SessionEvent['type']) => log.filter((event) => event.type === type).length;
  return [
    ...(turn.outcome === 'completed' ? [] : [`the turn came to ${turn.outcome}`]),
    ...(saysWhatItShould(turn.answer) ? [] : [`the answer was: ${turn.answer.slice(0, 200)}`]),
    ...problemsOfNumbers(log),
    ...(isDeepStrictEqual(plain(turn.entries.filter(isDurable)), plain(log)) ? [] : ['what its reader saw is not what was written']),
    ...(count('turn.started') === 1 && count('turn.completed') === 1 ? [] : [`it began ${count('turn.started')} times and ended ${count('turn.completed')} times`]),
    ...(count('tool.requested') === count('tool.completed') ? [] : ['a tool call has no result']),
  ].map((problem) => `${turn.sessionId}: ${problem}`);
}
