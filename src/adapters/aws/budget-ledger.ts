import { setTimeout as delay } from 'node:timers/promises';
import { DeleteCommand, GetCommand, PutCommand, TransactWriteCommand, type TransactWriteCommandInput } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';
import { AmountsSchema, type BudgetCounter, budgetUnits, type Posting, type Reservation } from '../../contracts/budget';
import { modelPurposes } from '../../contracts/events';
import { counterAttribute, tableKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import { closing, columns, committed, emptyCounter, missingUnit, type Postings, reserving, roomFor } from '../../domain/budgets';
import type { BudgetLedger, LimitedCounter, StepRef } from '../../ports/budget-ledger';
import { brokenConditions, reasonsOf } from './failures';
import type { TenantAccess } from './tenant-access';
import { itemsOf, tableNameOf } from './tenant-table';

/** Many steps of a tenant meet on its counters: DynamoDB lets one of two transactions through, and the other tries again. */
const collisionTries = 12;
const collisionPauseMs = 20;

const Held = z.object({ sk: z.string(), holder: z.string(), amounts: AmountsSchema, counters: z.array(z.string()) });

type Item = NonNullable<TransactWriteCommandInput['TransactItems']>[number];

const reservationKey = ({ sessionId, turnId, step, purpose }: StepRef) => ({ pk: tableKeys.reservations(sessionId), sk: tableKeys.reservation(turnId, step, purpose) });
const counterKey = (name: string) => ({ pk: tableKeys.budget(name), sk: tableKeys.budgetCounter() });
const held = 'committed';

/** Counters of the tenant's table, and an item for each step that is asked just now. They change together or not at all. */
export function createBudgetLedger({ access }: { access: TenantAccess }): BudgetLedger {
  const table = (tenantId: string) => access.clients(tenantId, 'usage').table;

  async function heldFor(step: StepRef): Promise<Reservation | undefined> {
    const { Item } = await table(step.tenantId).send(new GetCommand({ ...tableNameOf(step.tenantId), Key: reservationKey(step), ConsistentRead: true }));
    return Item && reservationOf(Item);
  }

  /** @returns places in the list of those whose condition did not hold; empty when all was written. */
  async function write(tenantId: string, items: readonly Item[]): Promise<number[]> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await brokenConditions(table(tenantId).send(new TransactWriteCommand({ TransactItems: [...items] })));
      } catch (error) {
        const isCollision = error instanceof Error && reasonsOf(error.cause).includes('TransactionConflict');
        if (!isCollision || tries === collisionTries) throw error;
        await delay(Math.random() * collisionPauseMs * tries);
      }
    }
  }

  const posting = (tenantId: string, [name, change]: readonly [string, Posting], condition?: Condition): Item => ({
    Update: { ...tableNameOf(tenantId), Key: counterKey(name), ...adding(change, condition) },
  });

  const postAll = (tenantId: string, postings: Postings, levels: readonly LimitedCounter[] = []): Item[] =>
    Object.entries(postings).map(([name, change]) => posting(tenantId, [name, change], conditionOf(change, levels.find(({ counter }) => counter === name))));

  /** What a level has not enough left of; undefined when it has by now. */
  async function missing(tenantId: string, postings: Postings, levels: readonly LimitedCounter[]) {
    const counters = await readCounters(tenantId, levels.map(({ counter }) => counter));
    for (const { level, counter, limit } of levels) {
      const unit = missingUnit(counters[counter] ?? emptyCounter, postings[counter] ?? {}, limit);
      if (unit) return { level, unit };
    }
    return undefined;
  }

  async function readCounters(tenantId: string, names: readonly string[]): Promise<Record<string, BudgetCounter>> {
    const get = async (name: string) => (await table(tenantId).send(new GetCommand({ ...tableNameOf(tenantId), Key: counterKey(name), ConsistentRead: true }))).Item;
    return Object.fromEntries(await Promise.all(names.map(async (name) => [name, counterOf(await get(name))] as const)));
  }

  return {
    held: heldFor,

    async reserve(step, reservation, levels) {
      const { tenantId } = step;
      for (let dead: Reservation | undefined; ; ) {
        const postings = reserving(reservation, dead);
        const hopeless = levels.some(({ counter, limit }) => Object.values(roomFor(postings[counter] ?? {}, limit)).some((room) => room < 0));
        const failed = hopeless ? undefined : await write(tenantId, [taking(step, reservation, dead), ...postAll(tenantId, postings, levels)]);
        if (failed?.length === 0) return undefined;
        if (failed?.includes(0)) {
          const found = await heldFor(step);
          // The answer of an earlier write may have got lost.
          if (found?.holder === reservation.holder) return undefined;
          dead = found;
          continue;
        }
        const exhausted = await missing(tenantId, postings, levels);
        // Another step has given back meanwhile what was missing.
        if (exhausted) return exhausted;
      }
    },

    async close(step, reservation, ending) {
      const leaving = { Delete: { ...tableNameOf(step.tenantId), Key: reservationKey(step), ...heldBy(reservation.holder) } };
      await write(step.tenantId, [leaving, ...postAll(step.tenantId, closing(reservation, ending))]);
    },

    async heldOf({ tenantId, sessionId }, turnId) {
      const query = { KeyConditionExpression: 'pk = :pk AND begins_with(sk, :turn)', ExpressionAttributeValues: { ':pk': tableKeys.reservations(sessionId), ':turn': tableKeys.reservationsOf(turnId) } };
      const found: Awaited<ReturnType<BudgetLedger['heldOf']>> = [];
      for await (const item of itemsOf(table(tenantId), tenantId, query)) {
        const [step, rest] = Held.parse(item).sk.slice(tableKeys.reservationsOf(turnId).length).split('/');
        const purpose = modelPurposes.find((one) => one === rest);
        found.push({ step: Number(step), ...(purpose && { purpose }), reservation: reservationOf(item) });
      }
      return found;
    },

    counters: readCounters,

    ...waitingList(access),
  };

  function taking(step: StepRef, { holder, amounts, counters }: Reservation, dead: Reservation | undefined): Item {
    const Item = { ...reservationKey(step), holder, amounts, counters };
    return { Put: { ...tableNameOf(step.tenantId), Item, ...(dead ? heldBy(dead.holder) : { ConditionExpression: 'attribute_not_exists(pk)' }) } };
  }
}

/** Sessions that wait for budget. */
const waitingList = (access: TenantAccess): Pick<BudgetLedger, 'noteWaiting' | 'waiting'> => ({
  async noteWaiting({ tenantId, sessionId }, isWaiting) {
    const Key = { pk: tableKeys.outOfBudget(), sk: sessionId };
    const { table } = access.clients(tenantId, 'usage');
    if (isWaiting) await table.send(new PutCommand({ ...tableNameOf(tenantId), Item: Key }));
    else await table.send(new DeleteCommand({ ...tableNameOf(tenantId), Key }));
  },

  async *waiting(tenantId): AsyncGenerator<SessionRef> {
    const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': tableKeys.outOfBudget() } };
    for await (const item of itemsOf(access.clients(tenantId, 'usage').table, tenantId, query)) yield { tenantId, sessionId: z.object({ sk: z.string() }).parse(item).sk };
  },
});

const heldBy = (holder: string) => ({ ConditionExpression: 'holder = :holder', ExpressionAttributeValues: { ':holder': holder } });

interface Condition {
  readonly text: string;
  readonly values: Readonly<Record<string, number>>;
}

/** That there is room for a change; what takes nothing is always let through. */
function conditionOf(change: Posting, limited: LimitedCounter | undefined): Condition | undefined {
  const rooms = limited ? Object.entries(roomFor(change, limited.limit)) : [];
  if (rooms.length === 0) return undefined;
  const text = rooms.map(([unit]) => `(attribute_not_exists(${held}_${unit}) OR ${held}_${unit} <= :room_${unit})`).join(' AND ');
  return { text, values: Object.fromEntries(rooms.map(([unit, room]) => [`:room_${unit}`, room])) };
}

/** DynamoDB's conditions cannot add: the sum that a limit is held against is an attribute of its own. */
function adding(change: Posting, condition: Condition | undefined) {
  const sums = { ...change, [held]: committed(change) };
  const values = Object.entries(sums).flatMap(([column, amounts]) => budgetUnits.map((unit) => [counterAttribute(column, unit), amounts[unit]] as const));
  return {
    UpdateExpression: `ADD ${values.map(([name]) => `${name} :${name}`).join(', ')}`,
    ...(condition && { ConditionExpression: condition.text }),
    ExpressionAttributeValues: { ...Object.fromEntries(values.map(([name, value]) => [`:${name}`, value])), ...condition?.values },
  };
}

const reservationOf = (item: unknown): Reservation => {
  const { holder, amounts, counters } = Held.parse(item);
  return { holder, amounts, counters };
};

const counterOf = (item: Record<string, unknown> | undefined): BudgetCounter => {
  const amounts = (column: string) => AmountsSchema.parse(Object.fromEntries(budgetUnits.map((unit) => [unit, figureOf(item, counterAttribute(column, unit))])));
  return Object.fromEntries(columns.map((column) => [column, amounts(column)])) as BudgetCounter;
};

/** Restores of earlier versions have left figures below nothing: whoever asks for a budget must not fail on them. */
const figureOf = (item: Record<string, unknown> | undefined, name: string): unknown => {
  const figure = item?.[name] ?? 0;
  return typeof figure === 'number' ? Math.max(0, figure) : figure;
};
