import { DomainError } from '../contracts/errors';

export const keyReused = () => new DomainError('idempotency/key-reused', 'This key was used for another request. Use a new one.');

/**
 * What a request has made is given to that request alone. What has no digest was made before digests were kept, and is taken for its own.
 * @throws DomainError `idempotency/key-reused`
 */
export function mustBeSameRequest(made: string | undefined, asked: string | undefined): void {
  if (made !== undefined && asked !== undefined && made !== asked) throw keyReused();
}
