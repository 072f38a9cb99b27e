import { DomainError } from '../contracts/errors';

/** @throws DomainError `cursor/unknown` when a log ends before a place that a caller has of it: it is of another log, such as that before a restore. */
export function mustNotEndBefore(place: number, last: number, what: 'events' | 'entries'): void {
  if (place > last) throw new DomainError('cursor/unknown', `There are ${last} ${what}, and none behind ${place}.`);
}
