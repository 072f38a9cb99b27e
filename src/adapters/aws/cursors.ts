import { type CursorOf, cursorPatterns } from '../../contracts/cursors';
import { DomainError } from '../../contracts/errors';

/** The sort key of a page's last item, as an address can hold it: `#` begins what a browser keeps to itself. Ids and times hold no `~`. */
export const encodeCursor = (key: string): string => key.replaceAll('#', '~');

/** @throws DomainError `request/malformed` when the text is not a cursor of such a list. */
export function decodeCursor(cursor: string, list: CursorOf): string {
  if (!cursorPatterns[list].test(cursor)) throw new DomainError('request/malformed', 'The cursor is not valid. Start without one.');
  return cursor.replaceAll('~', '#');
}
