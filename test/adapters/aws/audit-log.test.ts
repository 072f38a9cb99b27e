import { randomUUID } from 'node:crypto';
import { PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { createAuditLog } from '../../../src/adapters/aws/audit/log';
import { createPlatformClients } from '../../../src/adapters/aws/clients';
import { misfitOf } from '../../../src/adapters/audit-chain';
import type { AuditEntry, AuditEvent } from '../../../src/contracts/audit';
import { auditKeys, platformResources } from '../../../src/contracts/names';
import type { AuditLog } from '../../../src/ports/audit';
import { openLine } from '../../api/cuttable-line';
import { aws, settings, standingPlatform } from './tenants';

const TableName = platformResources.auditTable;
const audit = createAuditLog(aws);
const newChain = () => `chain-${randomUUID().slice(0, 8)}`;
const event = (object: string): AuditEvent => ({ at: new Date().toISOString(), actor: { kind: 'operator', id: 'ann' }, action: 'a test', object, outcome: 'done' });

beforeAll(standingPlatform);

async function all(chain: string, log: AuditLog = audit): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  for await (const entry of log.read(chain)) entries.push(entry);
  return entries;
}

/** What does not hold together in a chain, in words. */
function misfits(chain: string, entries: readonly AuditEntry[]): string[] {
  let head = { seq: 0, hash: '0'.repeat(64) };
  return entries.flatMap((entry) => {
    const misfit = misfitOf(head, entry, chain);
    head = entry;
    return misfit ?? [];
  });
}

/** Each with heads of its own, as 16 processes have; the first two of them write again. */
it('is gap-free, in order and without loss under 16 writers of one chain', async () => {
  const chain = newChain();
  const writers = Array.from({ length: 16 }, () => createAuditLog(aws));
  await Promise.all(
    writers.map(async (writer, who) => {
      for (let turn = 0; turn < (who < 2 ? 2 : 1); turn += 1) await writer.append(chain, [event(`${who}/${turn}`), event(`${who}/${turn}/after`)]);
    }),
  );
  const entries = await all(chain);
  expect(misfits(chain, entries)).toEqual([]);
  expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 36 }, (_, index) => index + 1));
  expect(new Set(entries.map(({ object }) => object)).size).toBe(36);
  // What was written together stands together, and a writer's later behind its earlier.
  const places = new Map(entries.map(({ object, seq }) => [object, seq]));
  for (let who = 0; who < 16; who += 1) expect(places.get(`${who}/0/after`)).toBe((places.get(`${who}/0`) ?? 0) + 1);
  for (const who of [0, 1]) expect(places.get(`${who}/1`)).toBeGreaterThan(places.get(`${who}/0`) ?? 0);
});

it('lets those who write at the same time share a write', async () => {
  const chain = newChain();
  await Promise.all(Array.from({ length: 120 }, (_, index) => audit.append(chain, [event(String(index))])));
  const { Count } = await aws.table.send(new QueryCommand({ TableName, KeyConditionExpression: 'chain = :chain', ExpressionAttributeValues: { ':chain': chain } }));
  // 50 fit in one: not even the first goes alone.
  expect(Count).toBe(3);
  expect((await all(chain)).map(({ object }) => object)).toEqual(Array.from({ length: 120 }, (_, index) => String(index)));
});

it('records once what is told twice under a key, also by two at the same time', async () => {
  const chain = newChain();
  const events = Array.from({ length: 60 }, (_, index) => event(String(index)));
  await Promise.all([audit.append(chain, events, 'operation/1'), createAuditLog(aws).append(chain, events, 'operation/1')]);
  await audit.append(chain, events, 'operation/1');
  const entries = await all(chain);
  expect(entries).toHaveLength(60);
  expect(misfits(chain, entries)).toEqual([]);
});

it('does not write twice what was written although the answer was lost', async () => {
  const chain = newChain();
  let lose = true;
  const losing = createPlatformClients(settings);
  losing.table.middlewareStack.add(
    (next) => async (args) => {
      const answer = await next(args);
      if (lose && (args.input as { Item?: object }).Item) {
        lose = false;
        throw Object.assign(new Error('the line was cut'), { code: 'ECONNRESET' });
      }
      return answer;
    },
    { step: 'initialize', priority: 'low', name: 'losing' },
  );
  await createAuditLog(losing).append(chain, [event('once')]);
  expect(lose).toBe(false);
  expect((await all(chain)).map(({ object }) => object)).toEqual(['once']);
});

it('says within seconds that it cannot be written, and goes on once it can', async () => {
  const chain = newChain();
  const line = await openLine(settings.endpoint ?? '');
  const log = createAuditLog(createPlatformClients({ ...settings, endpoint: line.url }));
  await line.cut();
  const startedAt = performance.now();
  await expect(log.append(chain, [event('lost')])).rejects.toMatchObject({ code: 'audit/unavailable' });
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  await line.mend();
  await log.append(chain, [event('kept')]);
  expect((await all(chain)).map(({ object }) => object)).toEqual(['kept']);
  await line.cut();
});

it('reads forwards and backwards from any place, over its batches', async () => {
  const chain = newChain();
  for (const size of [3, 50, 7, 1]) await audit.append(chain, Array.from({ length: size }, () => event('x')));
  const seqs = async (entries: AsyncIterable<AuditEntry>) => {
    const found: number[] = [];
    for await (const { seq } of entries) found.push(seq);
    return found;
  };
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
  for (const after of [0, 1, 3, 4, 52, 53, 60, 61]) expect(await seqs(audit.read(chain, { after }))).toEqual(range(after + 1, 61));
  expect(await seqs(audit.read(chain, { after: 2, upTo: 54 }))).toEqual(range(3, 54));
  for (const before of [1, 2, 4, 5, 54, 61, 62]) expect(await seqs(audit.readBack(chain, before))).toEqual(range(1, before - 1).reverse());
});

describe('a signed head', () => {
  /** The batch that begins at 1, with its first entry said otherwise. */
  async function tamper(chain: string): Promise<void> {
    const key = { ':chain': chain, ':sk': auditKeys.batch(1) };
    const { Items: [item] = [] } = await aws.table.send(new QueryCommand({ TableName, KeyConditionExpression: 'chain = :chain AND sk = :sk', ExpressionAttributeValues: key }));
    const [first, ...others] = (item?.['entries'] ?? []) as AuditEntry[];
    await aws.table.send(new PutCommand({ TableName, Item: { ...item, entries: [{ ...first, object: 'nothing to see' }, ...others] } }));
  }

  it('is made once for each head, and names the one before', async () => {
    const chain = newChain();
    expect(await audit.sign(chain)).toMatchObject({ seq: 0, isNew: false });
    await audit.append(chain, [event('1'), event('2')]);
    expect(await audit.sign(chain)).toMatchObject({ seq: 2, isNew: true });
    expect(await audit.sign(chain)).toMatchObject({ seq: 2, isNew: false });
    await audit.append(chain, [event('3')]);
    await Promise.all([audit.sign(chain), audit.sign(chain)]);
    const found = [];
    for await (const { checkpoint } of audit.checkpoints(chain)) found.push([checkpoint.seq, checkpoint.previous]);
    expect(found).toEqual([
      [2, undefined],
      [3, 2],
    ]);
  });

  it('is not given to a chain in which an entry was changed, signed already or not', async () => {
    const chain = newChain();
    await audit.append(chain, [event('1'), event('2')]);
    await tamper(chain);
    await expect(audit.sign(chain)).rejects.toMatchObject({ code: 'audit/broken', message: expect.stringContaining('Entry 1 was changed') as string });
  });

  it('is not given to a chain whose signed end was taken away', async () => {
    const chain = newChain();
    await audit.append(chain, [event('1')]);
    await audit.append(chain, [event('2')]);
    await audit.sign(chain);
    await aws.table.send(new PutCommand({ TableName, Item: { chain, sk: auditKeys.batch(2), entries: [], writeId: 'w', expiresAt: 0 } }));
    await expect(audit.sign(chain)).rejects.toMatchObject({ code: 'audit/broken', message: expect.stringContaining('not there any more') as string });
  });
});
