import { DomainError } from '../contracts/errors';
import { retryAfter } from './retry-after';

/**
 * Overload and gateway trouble: the same call may well succeed a little later. Who is too busy has done nothing; what stands behind a
 * gateway may have.
 *
 * @throws DomainError `tool/busy`, `tool/failed`
 */
export function mustHaveAnswered({ status, retryAfter: asked }: { readonly status: number; readonly retryAfter?: string | undefined }, origin: string): void {
  if (status === 429 || status === 503) throw new DomainError('tool/busy', `${origin} answered ${status}.`, retryAfter(asked, Date.now()));
  if (status === 502 || status === 504) throw new DomainError('tool/failed', `${origin} answered ${status}.`);
}
