import { DomainError } from '../../contracts/errors';

/** The sort key of a page's last item, as an opaque text. */
export const encodeCursor = (key: string): string => Buffer.from(key).toString('base64url');

/**
 * @param expected - what such keys look like.
 * @throws DomainError `request/malformed` when the text is not a cursor of ours.
 */
export function decodeCursor(cursor: string, expected: RegExp): string {
  const key = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!expected.test(key)) throw new DomainError('request/malformed', 'The cursor is not valid. Start without one.');
  return key;
}
