import { codeOf, type ErrorCode } from '../../contracts/errors';
import { isAwsError } from '../aws/failures';

/** How AWS, and what rests on it, turns somebody away. */
const refusals: readonly (ErrorCode | undefined)[] = ['dependency/denied', 'key/unavailable'];

/**
 * Whether a request was let in.
 * @param nothingThere - errors of AWS that only somebody hears who was let in.
 */
export async function tryDoor(request: () => Promise<unknown>, ...nothingThere: readonly string[]): Promise<'entered' | 'refused'> {
  try {
    await request();
    return 'entered';
  } catch (error) {
    if (refusals.includes(codeOf(error))) return 'refused';
    if (isAwsError(error, ...nothingThere)) return 'entered';
    throw error;
  }
}
