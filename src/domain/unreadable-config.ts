import { codeOf } from '../contracts/errors';

/** For `catch`, by who replaces a configuration: one that nobody can read is none. */
export function unreadableIsNone(error: unknown): undefined {
  if (codeOf(error) !== 'config/unreadable') throw error;
}
