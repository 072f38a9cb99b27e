import { z } from 'zod';
import { DomainError } from '../../contracts/errors';

const Key = z.record(z.string(), z.string());

/** A page's last key as an opaque text. */
export const encodeCursor = (key: Record<string, unknown>): string => Buffer.from(JSON.stringify(key)).toString('base64url');

/** @throws DomainError `request/malformed` when the text is not a cursor of ours. */
export function decodeCursor(cursor: string): Record<string, string> {
  try {
    return Key.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch (error) {
    throw new DomainError('request/malformed', 'The cursor is not valid. Start without one.', { cause: error });
  }
}
