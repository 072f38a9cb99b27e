import { BatchGetCommand, BatchWriteCommand, type DynamoDBDocumentClient, GetCommand, paginateQuery, paginateScan, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { MachineClient, Standing, StoredApiKey, StoredMachineClient } from '../../contracts/access';
import { DomainError } from '../../contracts/errors';
import { accessKeys, platformOwner, platformResources } from '../../contracts/names';
import type { AccessStore } from '../../ports/access';
import type { ResourceFinder } from '../../ports/tenant-inventory';
import { unlessRefused } from './failures';

const TableName = platformResources.accessTable;

/** A dead key, or client, is listed for this long, so that its owner sees what became of it. Then DynamoDB forgets it. */
const keptDeadSeconds = 30 * 86_400;

const maxBatch = 25;

/** Standings, API keys and machine clients, in a table of the platform's: a backup holds none of them, and a restore brings none back. */
export function createAccessStore({ table }: { table: DynamoDBDocumentClient }): AccessStore {
  return {
    ...standings(table),
    ...keys(table),
    ...machineClients(table),

    async forget(owner) {
      const all = await entries(table, owner);
      for (let done = 0; done < all.length; done += maxBatch) {
        const requests = all.slice(done, done + maxBatch).map(({ owner, entry }) => ({ DeleteRequest: { Key: { owner, entry } } }));
        // What DynamoDB did not get to is found by whoever looks for it next: an offboarding ends when nothing is found.
        await table.send(new BatchWriteCommand({ RequestItems: { [TableName]: requests } }));
      }
    },
  };
}

const keyOf = (owner: string, userId: string | undefined) => ({ owner, entry: userId === undefined ? accessKeys.everybody() : accessKeys.user(userId) });

/** An update that sets what is given; undefined when nothing is. */
function settingOf(change: Readonly<Record<string, unknown>>) {
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  if (given.length === 0) return undefined;
  return {
    UpdateExpression: `SET ${given.map(([name]) => `#${name} = :${name}`).join(', ')}`,
    ExpressionAttributeNames: Object.fromEntries(given.map(([name]) => [`#${name}`, name])),
    ExpressionAttributeValues: Object.fromEntries(given.map(([name, value]) => [`:${name}`, value])),
  };
}

const standings = (table: DynamoDBDocumentClient): Pick<AccessStore, 'standings' | 'note'> => ({
  async standings(owner, userId) {
    const Keys = [keyOf(owner, undefined), ...(userId === undefined ? [] : [keyOf(owner, userId)])];
    const { Responses, UnprocessedKeys } = await table.send(new BatchGetCommand({ RequestItems: { [TableName]: { Keys, ConsistentRead: true } } }));
    // Half an answer lets nobody in.
    if (Object.keys(UnprocessedKeys ?? {}).length > 0) throw new DomainError('dependency/unavailable', 'DynamoDB is busy. Try again.', { retryAfterSeconds: 1 });
    const found = Responses?.[TableName] ?? [];
    const of = (entry: string): Standing => Standing.parse(found.find((item) => item['entry'] === entry) ?? {});
    return { everybody: of(accessKeys.everybody()), user: userId === undefined ? {} : of(accessKeys.user(userId)) };
  },

  async note(owner, userId, { notBefore, ...change }) {
    const given = settingOf(change);
    if (given) await table.send(new UpdateCommand({ TableName, Key: keyOf(owner, userId), ...given }));
    if (notBefore === undefined) return;
    const mark = table.send(
      new UpdateCommand({
        TableName,
        Key: keyOf(owner, userId),
        UpdateExpression: 'SET notBefore = :at',
        ConditionExpression: 'attribute_not_exists(notBefore) OR notBefore < :at',
        ExpressionAttributeValues: { ':at': notBefore },
      }),
    );
    await unlessRefused(mark, () => undefined);
  },
});

async function keyIn(table: DynamoDBDocumentClient, owner: string, keyId: string): Promise<StoredApiKey | undefined> {
  const { Item } = await table.send(new GetCommand({ TableName, Key: { owner, entry: accessKeys.apiKey(keyId) }, ConsistentRead: true }));
  return Item && StoredApiKey.parse(Item);
}

const keys = (table: DynamoDBDocumentClient): Pick<AccessStore, 'addKey' | 'key' | 'keys' | 'revokeKey'> => ({
  async addKey(owner, key) {
    const write = table.send(
      new PutCommand({
        TableName,
        Item: { owner, entry: accessKeys.apiKey(key.keyId), ...key, forgetAtSeconds: Math.ceil(Date.parse(key.expiresAt) / 1_000) + keptDeadSeconds },
        ConditionExpression: 'attribute_not_exists(entry)',
      }),
    );
    await unlessRefused<unknown, unknown>(write, async () => {
      // The answer to an earlier attempt of this write may have been lost.
      if ((await keyIn(table, owner, key.keyId))?.digest === key.digest) return;
      throw new DomainError('api-key/shown', `The API key ${key.keyId} was made by an earlier request, and shown then. If it is lost, revoke it and make another.`);
    });
  },

  key: (owner, keyId) => keyIn(table, owner, keyId),

  async keys(owner) {
    const found = await entries(table, owner, accessKeys.apiKey(''));
    return found.map((item) => StoredApiKey.parse(item)).sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  },

  async revokeKey(owner, keyId) {
    const write = table.send(
      new UpdateCommand({
        TableName,
        Key: { owner, entry: accessKeys.apiKey(keyId) },
        UpdateExpression: 'SET revokedAt = if_not_exists(revokedAt, :now)',
        ConditionExpression: 'attribute_exists(entry)',
        ExpressionAttributeValues: { ':now': new Date().toISOString() },
        ReturnValues: 'ALL_NEW',
      }),
    );
    const written = await unlessRefused(write, () => undefined);
    return written && StoredApiKey.parse(written.Attributes);
  },
});

const machineClients = (table: DynamoDBDocumentClient): Pick<AccessStore, 'addMachineClient' | 'machineClients' | 'setMachineCredentials' | 'changeMachineClient' | 'revokeMachineClient'> => ({
  async addMachineClient(owner, client) {
    const Key = { owner, entry: accessKeys.machineClient(client.clientId) };
    const write = table.send(new PutCommand({ TableName, Item: { ...Key, ...client }, ConditionExpression: 'attribute_not_exists(entry)' }));
    await unlessRefused<unknown, unknown>(write, async () => {
      const { Item } = await table.send(new GetCommand({ TableName, Key, ConsistentRead: true }));
      // The answer to an earlier attempt of this write may have been lost: nobody else has this credential.
      if (Item && MachineClient.parse(Item).credentials.some(({ oauthClientId }) => oauthClientId === client.credentials[0]?.oauthClientId)) return;
      throw new DomainError('machine-client/shown', `The machine client ${client.clientId} was made by an earlier request, and its secret shown then. If it is lost, rotate it.`);
    });
  },

  async machineClients(owner) {
    const found = await entries(table, owner, accessKeys.machineClient(''));
    return found.map((item) => StoredMachineClient.parse(item)).sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  },

  async setMachineCredentials(owner, clientId, current, { credentials, rotations }) {
    const write = table.send(
      new UpdateCommand({
        TableName,
        Key: { owner, entry: accessKeys.machineClient(clientId) },
        UpdateExpression: 'SET credentials = :credentials, rotations = :rotations',
        // The new one may be there: the answer to the update was lost, and the client sent it again.
        ConditionExpression: 'credentials[0].oauthClientId IN (:current, :new) AND attribute_not_exists(revokedAt)',
        ExpressionAttributeValues: { ':credentials': credentials, ':rotations': rotations, ':current': current, ':new': credentials[0]?.oauthClientId },
        ReturnValues: 'ALL_NEW',
      }),
    );
    const written = await unlessRefused(write, () => undefined);
    return written && StoredMachineClient.parse(written.Attributes);
  },

  async changeMachineClient(owner, clientId, change) {
    const write = table.send(
      new UpdateCommand({
        TableName,
        Key: { owner, entry: accessKeys.machineClient(clientId) },
        ...settingOf(change),
        ConditionExpression: 'attribute_exists(entry) AND attribute_not_exists(revokedAt)',
        ReturnValues: 'ALL_NEW',
      }),
    );
    const written = await unlessRefused(write, () => undefined);
    return written && MachineClient.parse(written.Attributes);
  },

  async revokeMachineClient(owner, clientId) {
    const now = new Date();
    const write = table.send(
      new UpdateCommand({
        TableName,
        Key: { owner, entry: accessKeys.machineClient(clientId) },
        UpdateExpression: 'SET revokedAt = if_not_exists(revokedAt, :now), forgetAtSeconds = if_not_exists(forgetAtSeconds, :forget)',
        ConditionExpression: 'attribute_exists(entry)',
        ExpressionAttributeValues: { ':now': now.toISOString(), ':forget': Math.ceil(now.getTime() / 1_000) + keptDeadSeconds },
        ReturnValues: 'ALL_NEW',
      }),
    );
    const written = await unlessRefused(write, () => undefined);
    return written && MachineClient.parse(written.Attributes);
  },
});

async function entries(table: DynamoDBDocumentClient, owner: string, prefix = ''): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = [];
  const range = prefix === '' ? '' : ' AND begins_with(entry, :prefix)';
  const query = {
    TableName,
    ConsistentRead: true,
    KeyConditionExpression: `#owner = :owner${range}`,
    ExpressionAttributeNames: { '#owner': 'owner' },
    ExpressionAttributeValues: { ':owner': owner, ...(prefix !== '' && { ':prefix': prefix }) },
  };
  for await (const { Items } of paginateQuery({ client: table }, query)) items.push(...(Items ?? []));
  return items;
}

const typeOf = (entry: string): string => (entry.startsWith(accessKeys.apiKey('')) ? 'api-key' : entry.startsWith(accessKeys.machineClient('')) ? 'machine-client' : 'standing');

/** What a tenant has there: it goes with the tenant. */
export const accessFinder = ({ table }: { table: DynamoDBDocumentClient }): ResourceFinder => ({
  checks: [
    { service: 'access', type: 'api-key', call: `DynamoDB Query on ${TableName}` },
    { service: 'access', type: 'machine-client', call: `DynamoDB Query on ${TableName}` },
    { service: 'access', type: 'standing', call: `DynamoDB Query on ${TableName}` },
  ],
  async find(tenantId) {
    const found = (await entries(table, tenantId)).map(({ entry }) => String(entry));
    return found.map((entry) => ({ service: 'access', type: typeOf(entry), name: entry }));
  },
  async tenantIds() {
    const owners = new Set<string>();
    for await (const { Items } of paginateScan({ client: table }, { TableName, ProjectionExpression: '#owner', ExpressionAttributeNames: { '#owner': 'owner' } }))
      for (const item of Items ?? []) owners.add(String(item['owner']));
    owners.delete(platformOwner);
    return [...owners];
  },
});
