import { randomUUID } from 'node:crypto';
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { createAccessCache } from '../../../src/adapters/access-cache';
import { accessFinder, createAccessStore } from '../../../src/adapters/aws/access-store';
import type { MachineClient, StoredApiKey } from '../../../src/contracts/access';
import { codeOf } from '../../../src/contracts/errors';
import { accessKeys, platformOwner, platformResources } from '../../../src/contracts/names';
import { createPlatformClients } from '../../../src/adapters/aws/clients';
import type { AccessStore } from '../../../src/ports/access';
import { openLossyLine } from './lost-answers';
import { aws, newTenantId, standingPlatform } from './tenants';

const store = createAccessStore(aws);
const finder = accessFinder(aws);
beforeAll(standingPlatform);

const at = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
const newKey = (changes: Partial<StoredApiKey> = {}): StoredApiKey => ({
  ...{ keyId: randomUUID().replaceAll('-', '').slice(0, 16), name: 'k', permissions: ['read:session'], createdBy: 'ada' },
  ...{ createdAt: at(0), expiresAt: at(1), digest: '0'.repeat(64), ...changes },
});

const newClient = (): MachineClient => ({
  ...{ clientId: randomUUID().replaceAll('-', '').slice(0, 16), name: 'm', permissions: ['read:session'], createdBy: 'ada', createdAt: at(0) },
  credentials: [{ oauthClientId: 'first', since: at(0) }],
});

describe('standings', () => {
  it('are empty for who was never spoken of', async () => expect(await store.standings(newTenantId(), 'ada')).toEqual({ everybody: {}, user: {} }));

  it('tell users, tenants and everybody apart', async () => {
    const [one, other] = [newTenantId(), newTenantId()];
    await store.note(one, 'ada', { disabled: true });
    await store.note(one, undefined, { notBefore: at(0) });
    expect(await store.standings(one, 'ada')).toMatchObject({ user: { disabled: true }, everybody: { notBefore: expect.any(String) as unknown } });
    expect((await store.standings(one, 'bob')).user).toEqual({});
    expect(await store.standings(other, 'ada')).toEqual({ everybody: {}, user: {} });
    expect((await store.standings(one, undefined)).user).toEqual({});
  });

  it('add up, and a mark never moves back', async () => {
    const tenantId = newTenantId();
    const [earlier, later] = [at(0), at(1)];
    await store.note(tenantId, 'ada', { notBefore: later });
    await store.note(tenantId, 'ada', { groups: ['members'], groupsSince: earlier });
    await store.note(tenantId, 'ada', { notBefore: earlier });
    expect((await store.standings(tenantId, 'ada')).user).toEqual({ notBefore: later, groups: ['members'], groupsSince: earlier });
  });
});

it('lets nobody in on half an answer', async () => {
  const line = await openLossyLine();
  const tenantId = newTenantId();
  await store.note(tenantId, 'ada', { disabled: true });
  const half = line.rewriteNext('BatchGetItem', '"UnprocessedKeys": {}', `"UnprocessedKeys": {"${platformResources.accessTable}": {"Keys": [{"owner": {"S": "${tenantId}"}}]}}`);
  expect(await createAccessStore(createPlatformClients(line.settings)).standings(tenantId, 'ada').then(() => 'none', codeOf)).toBe('dependency/unavailable');
  expect(half()).toBe(1);
  line.close();
});

describe('keys', () => {
  it('are found by tenant and id, listed, and revoked once', async () => {
    const [tenantId, other] = [newTenantId(), newTenantId()];
    const [first, second] = [newKey({ createdAt: at(-1) }), newKey()];
    await store.addKey(tenantId, first);
    await store.addKey(tenantId, second);
    expect(await store.key(tenantId, first.keyId)).toEqual(first);
    expect(await store.key(other, first.keyId)).toBeUndefined();
    expect((await store.keys(tenantId)).map(({ keyId }) => keyId)).toEqual([second.keyId, first.keyId]);
    const revoked = await store.revokeKey(tenantId, first.keyId);
    expect(revoked?.revokedAt).toBeDefined();
    expect(await store.revokeKey(tenantId, first.keyId)).toEqual(revoked);
    expect(await store.revokeKey(other, first.keyId)).toBeUndefined();
    expect(await store.key(other, first.keyId)).toBeUndefined();
  });

  it('are forgotten a month after their end', async () => {
    const [tenantId, key] = [newTenantId(), newKey({ createdAt: at(-60), expiresAt: at(600) })];
    await store.addKey(tenantId, key);
    const { Item } = await aws.table.send(new GetCommand({ TableName: platformResources.accessTable, Key: { owner: tenantId, entry: accessKeys.apiKey(key.keyId) } }));
    expect(Item?.['forgetAtSeconds']).toBe(Math.ceil(Date.parse(key.expiresAt) / 1_000) + 30 * 86_400);
  });

  it('are never made twice', async () => {
    const tenantId = newTenantId();
    const key = newKey();
    await store.addKey(tenantId, key);
    expect(await store.addKey(tenantId, { ...key, digest: '1'.repeat(64) }).then(() => 'none', codeOf)).toBe('api-key/shown');
    expect(await store.key(tenantId, key.keyId)).toEqual(key);
  });
});

describe('machine clients', () => {
  it('are listed by tenant, and revoked once', async () => {
    const [tenantId, other, client] = [newTenantId(), newTenantId(), newClient()];
    await store.addMachineClient(tenantId, client);
    expect(await store.machineClients(tenantId)).toEqual([client]);
    expect(await store.machineClients(other)).toEqual([]);
    const revoked = await store.revokeMachineClient(tenantId, client.clientId);
    expect(revoked?.revokedAt).toBeDefined();
    expect(await store.revokeMachineClient(tenantId, client.clientId)).toEqual(revoked);
    expect(await store.revokeMachineClient(other, client.clientId)).toBeUndefined();
    expect(await store.addMachineClient(tenantId, { ...client, credentials: [{ oauthClientId: 'another', since: at(0) }] }).then(() => 'none', codeOf)).toBe('machine-client/shown');
  });

  it('are given something else, until they are revoked', async () => {
    const [tenantId, other, client] = [newTenantId(), newTenantId(), newClient()];
    await store.addMachineClient(tenantId, client);
    const change = { name: 'other', permissions: ['read:config'] };
    expect(await store.changeMachineClient(tenantId, client.clientId, { ...change, description: undefined })).toEqual({ ...client, ...change });
    expect(await store.changeMachineClient(other, client.clientId, change)).toBeUndefined();
    const revoked = await store.revokeMachineClient(tenantId, client.clientId);
    expect(await store.changeMachineClient(tenantId, client.clientId, { name: 'again' })).toBeUndefined();
    expect(await store.machineClients(tenantId)).toEqual([revoked]);
  });

  it('get another secret by one of two who ask at once, and none when they were revoked', async () => {
    const [tenantId, client] = [newTenantId(), newClient()];
    await store.addMachineClient(tenantId, client);
    const rotate = (oauthClientId: string, current = 'first') => store.setMachineCredentials(tenantId, client.clientId, current, { credentials: [{ oauthClientId, since: at(0) }], rotations: [] });
    const both = await Promise.all([rotate('second'), rotate('third')]);
    const [written] = both.filter((one) => one !== undefined);
    expect([both.filter((one) => one === undefined).length, await store.machineClients(tenantId)]).toEqual([1, [written]]);
    await store.revokeMachineClient(tenantId, client.clientId);
    expect(await rotate('fourth', written?.credentials[0]?.oauthClientId)).toBeUndefined();
  });
});

it('has written what it wrote, though the answer was lost and the client sent it again', async () => {
  const line = await openLossyLine();
  const lossy = createAccessStore(createPlatformClients(line.settings));
  const [tenantId, key, client] = [newTenantId(), newKey(), newClient()];
  const lost = [line.loseNext('PutItem', 2), line.loseNext('UpdateItem')];
  await lossy.addKey(tenantId, key);
  expect(await lossy.key(tenantId, key.keyId)).toEqual(key);
  lost.push(line.loseNext('PutItem'));
  await lossy.addMachineClient(tenantId, client);
  const next = { credentials: [{ oauthClientId: 'second', since: at(0) }, ...client.credentials], rotations: [{ requestId: 'r', requestDigest: 'd' }] };
  expect(await lossy.setMachineCredentials(tenantId, client.clientId, 'first', next)).toMatchObject({ credentials: next.credentials });
  expect(await store.machineClients(tenantId)).toEqual([{ ...client, ...next }]);
  expect(lost.map((hits) => hits())).toEqual([2, 1, 1]);
  line.close();
});

it('finds all that is kept of a tenant, and forgets it and nothing else', async () => {
  const [tenantId, other] = [newTenantId(), newTenantId()];
  for (let count = 0; count < 30; count += 1) await store.addKey(tenantId, newKey());
  await store.addMachineClient(tenantId, newClient());
  await store.note(tenantId, 'ada', { disabled: true });
  await store.note(other, 'ada', { disabled: true });
  await store.note(platformOwner, 'ops', { notBefore: at(0) });
  expect((await finder.find(tenantId)).map(({ type }) => type).sort()).toEqual([...Array<string>(30).fill('api-key'), 'machine-client', 'standing']);
  expect(await finder.tenantIds()).toEqual(expect.arrayContaining([tenantId, other]));
  expect(await finder.tenantIds()).not.toContain(platformOwner);
  await store.forget(tenantId);
  expect(await finder.find(tenantId)).toEqual([]);
  expect(await finder.find(other)).toHaveLength(1);
  await store.forget(tenantId);
});

describe('the cache', () => {
  /** Counts who asks; the store is the real one. */
  const counted = () => {
    const asked = { count: 0 };
    const counting: AccessStore = { ...store, standings: (...who) => ((asked.count += 1), store.standings(...who)) };
    return { asked, counting };
  };

  it('asks once for many, and again when the answer is old', async () => {
    const { asked, counting } = counted();
    const cache = createAccessCache({ store: counting, cacheMs: 300 });
    const tenantId = newTenantId();
    await Promise.all(Array.from({ length: 50 }, () => cache.standings(tenantId, 'ada')));
    expect(asked.count).toBe(1);
    await store.note(tenantId, 'ada', { disabled: true });
    const sinceMs = performance.now();
    while ((await cache.standings(tenantId, 'ada')).user.disabled !== true) expect(performance.now() - sinceMs).toBeLessThan(10_000);
    expect(asked.count).toBe(2);
  });

  it('keeps no failure', async () => {
    let fails = true;
    const failing: AccessStore = { ...store, standings: (...who) => (fails ? Promise.reject(new Error('away')) : store.standings(...who)) };
    const cache = createAccessCache({ store: failing, cacheMs: 60_000 });
    const tenantId = newTenantId();
    await expect(cache.standings(tenantId, 'ada')).rejects.toThrow('away');
    fails = false;
    expect(await cache.standings(tenantId, 'ada')).toEqual({ everybody: {}, user: {} });
  });
});
