import { isDeepStrictEqual } from 'node:util';
import { DeleteCommand, GetCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { AgentSchedule, ScheduledRun } from '../../contracts/schedule';
import { DomainError } from '../../contracts/errors';
import { tableKeys } from '../../contracts/names';
import { mustBeSameRequest } from '../../domain/same-request';
import type { AgentSchedules } from '../../ports/agent-schedules';
import type { TenantCipher } from '../../ports/cipher';
import { unlessRefused } from './failures';
import type { TenantAccess } from './tenant-access';
import { allOfPartition, itemsOf, listedPage, tableNameOf } from './tenant-table';

/** Runs are told of for so long. */
const runsKeptMs = 90 * 86_400_000;
/** Of those that are older, a run forgets so many at its end. */
const forgottenAtOnce = 5;
/** Deletes under way at once. */
const sideBySide = 25;

/** Seals what an agent is asked by the clock, bound to its place. */
export function createPromptBodies({ cipher }: { cipher: TenantCipher }) {
  const contextOf = (name: string) => ({ purpose: 'schedule', schedule: name });
  return {
    seal: (tenantId: string, name: string, prompt: string): Promise<Uint8Array> => cipher.seal(tenantId, contextOf(name), Buffer.from(prompt)),
    open: async (tenantId: string, name: string, sealed: Uint8Array): Promise<string> => Buffer.from(await cipher.open(tenantId, contextOf(name), sealed)).toString('utf8'),
  };
}

const placeOf = (name: string) => ({ pk: tableKeys.agentSchedules(), sk: name });
const runPlace = ({ schedule, startedAt, runId }: Pick<ScheduledRun, 'schedule' | 'startedAt' | 'runId'>) => ({ pk: tableKeys.scheduledRuns(schedule), sk: tableKeys.listed(startedAt, runId) });

const isAt = ({ revision }: AgentSchedule) => ({ ConditionExpression: 'revision = :revision', ExpressionAttributeValues: { ':revision': revision } });

/** Whether an item is this very schedule, with this prompt: the answer to an earlier attempt of its write may have been lost. */
const isThat = ({ body, ...there }: Record<string, unknown> = {}, schedule: AgentSchedule, sealed: Uint8Array): boolean =>
  body instanceof Uint8Array && Buffer.compare(body, sealed) === 0 && isDeepStrictEqual(AgentSchedule.parse(there), schedule);

/** Scheduled agents in the tenant's table, each one item with its prompt sealed. They take the rights that approvals have, which are listed, changed and deleted, too. */
export function createAgentSchedules({ access, cipher }: { access: TenantAccess; cipher: TenantCipher }): AgentSchedules {
  const bodies = createPromptBodies({ cipher });
  const table = (tenantId: string) => access.clients(tenantId, 'approvals').table;

  async function read(tenantId: string, Key: { pk: string; sk: string }): Promise<Record<string, unknown> | undefined> {
    return (await table(tenantId).send(new GetCommand({ ...tableNameOf(tenantId), Key, ConsistentRead: true }))).Item;
  }

  async function get(tenantId: string, name: string): Promise<AgentSchedule | undefined> {
    const item = await read(tenantId, placeOf(name));
    return item && AgentSchedule.parse(item);
  }

  async function sealedPrompt(tenantId: string, name: string): Promise<Uint8Array> {
    const body = (await read(tenantId, placeOf(name)))?.['body'];
    if (!(body instanceof Uint8Array)) throw new DomainError('schedule/not-found', 'There is no such schedule.');
    return body;
  }

  const deleteItem = (tenantId: string, Key: object) => table(tenantId).send(new DeleteCommand({ ...tableNameOf(tenantId), Key }));

  async function forgetOld(tenantId: string, { schedule, startedAt }: ScheduledRun): Promise<void> {
    const before = new Date(Date.parse(startedAt) - runsKeptMs).toISOString();
    const { Items = [] } = await table(tenantId).send(
      new QueryCommand({
        ...tableNameOf(tenantId),
        KeyConditionExpression: 'pk = :pk AND sk < :before',
        ExpressionAttributeValues: { ':pk': tableKeys.scheduledRuns(schedule), ':before': before },
        Limit: forgottenAtOnce,
      }),
    );
    await Promise.all(Items.map(({ pk, sk }) => deleteItem(tenantId, { pk: pk as unknown, sk: sk as unknown })));
  }

  return {
    list: (tenantId) => allOfPartition(table(tenantId), tenantId, tableKeys.agentSchedules(), (item) => AgentSchedule.parse(item)),
    get,

    async prompt(tenantId, name) {
      return bodies.open(tenantId, name, await sealedPrompt(tenantId, name));
    },

    async create(tenantId, schedule, prompt) {
      const body = await bodies.seal(tenantId, schedule.name, prompt);
      const write = table(tenantId).send(new PutCommand({ ...tableNameOf(tenantId), Item: { ...placeOf(schedule.name), ...schedule, body }, ConditionExpression: 'attribute_not_exists(pk)' }));
      return unlessRefused(
        write.then(() => schedule),
        async () => {
          const there = await get(tenantId, schedule.name);
          if (there?.requestId !== schedule.requestId) throw new DomainError('schedule/exists', `There is a schedule ${schedule.name} already: change it, or choose another name.`);
          mustBeSameRequest(there.requestDigest, schedule.requestDigest);
          return there;
        },
      );
    },

    async replace(tenantId, next, prompt) {
      const schedule: AgentSchedule = { ...next, revision: next.revision + 1, updatedAt: new Date().toISOString() };
      const body = prompt === undefined ? await sealedPrompt(tenantId, next.name) : await bodies.seal(tenantId, next.name, prompt);
      await unlessRefused<unknown, unknown>(table(tenantId).send(new PutCommand({ ...tableNameOf(tenantId), Item: { ...placeOf(next.name), ...schedule, body }, ...isAt(next) })), async () => {
        if (isThat(await read(tenantId, placeOf(next.name)), schedule, body)) return;
        throw new DomainError('schedule/changed', `Somebody else has changed the schedule ${next.name}. Read it again, and repeat what still fits.`);
      });
      return schedule;
    },

    async delete(tenantId, name) {
      await deleteItem(tenantId, placeOf(name));
      let some: Promise<unknown>[] = [];
      const query = { KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': tableKeys.scheduledRuns(name) }, ProjectionExpression: 'pk, sk' };
      for await (const item of itemsOf(table(tenantId), tenantId, query)) {
        some.push(deleteItem(tenantId, item as object));
        if (some.length >= sideBySide) some = (await Promise.all(some), []);
      }
      await Promise.all(some);
    },

    async runs(tenantId, name, page) {
      const { items: runs, ...rest } = await listedPage(table(tenantId), { tenantId, pk: tableKeys.scheduledRuns(name), ...page }, (item) => ScheduledRun.parse(item));
      return { runs, ...rest };
    },

    async putRun(tenantId, run) {
      await table(tenantId).send(new PutCommand({ ...tableNameOf(tenantId), Item: { ...runPlace(run), ...run } }));
      if (run.endedAt !== undefined) await forgetOld(tenantId, run);
    },

    async run(tenantId, of) {
      const item = await read(tenantId, runPlace(of));
      return item && ScheduledRun.parse(item);
    },
  };
}
