import { budgetUnits } from '../contracts/budget';
import { budgetCounters, counterAttribute, tableKeys, usagePeriods } from '../contracts/names';
import type { BackupRecord } from './backup-content';
import { omit } from './omit';

/** Session → the last sequence number of its log. */
export type Heads = ReadonlyMap<string, number>;

const cellKeys: readonly string[] = usagePeriods.map((period) => tableKeys.usage(period));
const counterPrefix = tableKeys.budget('');
const sessionCounterPrefix = tableKeys.budget(budgetCounters.session(''));
const reservationPrefix = tableKeys.reservations('');
const sessionPrefix = tableKeys.session('');

const partitionOf = ({ pk }: BackupRecord): string => String(pk);
const isCounter = (record: BackupRecord): boolean => partitionOf(record).startsWith(counterPrefix);

/** A figure of usage, or what a day or a month has cost: it was used, and is paid for, whatever becomes of the sessions it was used in. */
export const isUse = (record: BackupRecord): boolean => cellKeys.includes(partitionOf(record)) || (isCounter(record) && !partitionOf(record).startsWith(sessionCounterPrefix));

/** The place up to which a session was counted. */
export const isPlace = (record: BackupRecord): boolean => partitionOf(record).startsWith(sessionPrefix) && record['sk'] === tableKeys.counted();

/** A place that lies no further than the log: what is written from there on has to be counted. Undefined: there is no log. */
export function placeWithin(place: BackupRecord, heads: Heads): BackupRecord | undefined {
  const head = heads.get(partitionOf(place).slice(sessionPrefix.length)) ?? 0;
  if (head === 0) return undefined;
  return Number(place['seq']) <= head ? place : { ...place, seq: head };
}

/**
 * An item as it is when nobody is asked any more for whom something was held: the most that can have cost counts as lost, as when
 * a worker dies. Undefined: it is what was held for one step. A table is read while steps go on, so that a counter and what is
 * held need not be of the same moment; a counter by itself is right.
 */
export function withoutHolds(item: BackupRecord): BackupRecord | undefined {
  if (partitionOf(item).startsWith(reservationPrefix)) return undefined;
  if (!isCounter(item)) return item;
  const figure = (column: string, unit: string) => Number(item[counterAttribute(column, unit)] ?? 0);
  const held = budgetUnits.filter((unit) => figure('reserved', unit) > 0);
  if (held.length === 0) return item;
  const lost = Object.fromEntries(held.map((unit) => [counterAttribute('lost', unit), figure('lost', unit) + figure('reserved', unit)]));
  return { ...omit(item, ...held.map((unit) => counterAttribute('reserved', unit))), ...lost };
}

/** What stays of an item of the tenant's own when a backup takes the place of all else. Undefined: nothing. */
export function outliving(item: BackupRecord, heads: Heads): BackupRecord | undefined {
  if (isPlace(item)) return placeWithin(item, heads);
  return isUse(item) ? withoutHolds(item) : undefined;
}

/** What of a backup's use or place is written beside the tenant's own by the same key. That is later, and stands. */
export function besideOwn(own: BackupRecord | undefined, record: BackupRecord): BackupRecord | undefined {
  const isFurther = own !== undefined && isPlace(record) && Number(own['seq']) < Number(record['seq']);
  return own === undefined || isFurther ? record : undefined;
}
