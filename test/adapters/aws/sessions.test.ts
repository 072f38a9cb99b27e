import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import { createSessionMessages } from '../../../src/adapters/aws/session-messages';
import { createMessagesUnderWay } from '../../../src/adapters/valkey/messages-under-way';
import { tableKeys, tenantResources, valkeyKeys } from '../../../src/contracts/names';
import { connected } from '../valkey/own-valkey';
import { access, aws, cipher, config, directory, messages, newSession, sessions, standingPlatform, standingTenant } from './tenants';

let tenantId: string;
beforeAll(async () => {
  await standingPlatform();
  ({ tenantId } = await standingTenant());
});

const record = (userId: string, createdAt = new Date().toISOString()) => ({ ...newSession(tenantId), userId, createdAt });

describe('a message', () => {
  it('is kept once, and given back as it was sent', async () => {
    const session = newSession(tenantId);
    const message = { turnId: 'turn-1', userId: 'ann', text: 'hello \u{1F499} '.repeat(2_000) };
    await Promise.all(Array.from({ length: 4 }, () => messages.put(session, message)));
    expect(await messages.get(session, 'turn-1')).toEqual(message);
  });

  it.each([{ text: 'other' }, { userId: 'bob' }])('is not replaced by one with %j', async (change) => {
    const session = newSession(tenantId);
    const message = { turnId: 'turn-1', userId: 'ann', text: 'hello' };
    await messages.put(session, message);
    await expect(messages.put(session, { ...message, ...change })).rejects.toMatchObject({ code: 'idempotency/key-reused' });
    expect(await messages.get(session, 'turn-1')).toEqual(message);
  });

  it('is read on its way while it is there, and else from the table', async () => {
    const valkey = await connected(config.valkey.url);
    try {
      const handed = createSessionMessages({ access, cipher, underWay: createMessagesUnderWay(valkey, directory) });
      const session = newSession(tenantId);
      const message = { turnId: 'turn-1', userId: 'ann', text: 'hello' };
      const key = valkeyKeys.message(tenantId, { sessionId: session.sessionId, turnId: 'turn-1', restoredAt: undefined });
      await handed.put(session, message);
      const sealed = await keyOnceThere(() => valkey.commands.getBuffer(key));
      expect(sealed.includes('hello')).toBe(false);
      await expect(handed.put(session, { ...message, text: 'other' })).rejects.toMatchObject({ code: 'idempotency/key-reused' });
      expect(await valkey.commands.getBuffer(key)).toEqual(sealed);
      // What somebody put there does not open; what belongs to another turn does not either.
      for (const forged of [Buffer.from('{"userId":"ann","text":"forged"}'), await cipher.seal(tenantId, { purpose: 'message', session: session.sessionId, turn: 'turn-2' }, Buffer.from('{"userId":"ann","text":"forged"}'))]) {
        await valkey.commands.set(key, Buffer.from(forged));
        expect(await handed.get(session, 'turn-1')).toEqual(message);
      }
      await valkey.commands.set(key, sealed);
      await aws.table.send(new DeleteCommand({ TableName: tenantResources(tenantId).table, Key: { pk: tableKeys.messages(session.sessionId), sk: 'turn-1' } }));
      expect(await handed.get(session, 'turn-1')).toEqual(message);
      await valkey.commands.del(key);
      await expect(handed.get(session, 'turn-1')).rejects.toMatchObject({ code: 'turn/not-found' });
    } finally {
      await valkey.close();
    }
  });

  it('that nobody sent is not found', async () => {
    await expect(messages.get(newSession(tenantId), 'turn-1')).rejects.toMatchObject({ code: 'turn/not-found' });
  });
});

describe('a session record', () => {
  it('is created once, and belongs to its first user', async () => {
    const first = record('ann');
    const later = { ...first, createdAt: '2100-01-01T00:00:00.000Z' };
    expect(await sessions.create(first)).toEqual(first);
    expect(await sessions.create(later)).toEqual(first);
    await expect(sessions.create({ ...later, userId: 'bob' })).rejects.toMatchObject({ code: 'session/not-found' });
    expect(await sessions.get(first)).toEqual(first);
    expect(await sessions.get(newSession(tenantId))).toBeUndefined();
  });

  it('is one, however many create it at once', async () => {
    const first = record('ann');
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => sessions.create(first)));
    // Transactions that meet on one item may be sent away, to come again.
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'dependency/unavailable' });
      else expect(outcome.value).toEqual(first);
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
  });

  it('notes its first end, in every list', async () => {
    const open = record('closer');
    await sessions.create(open);
    await sessions.close(open, '2030-01-01T00:00:00.000Z');
    await sessions.close(open, '2031-01-01T00:00:00.000Z');
    await sessions.close(newSession(tenantId), '2030-01-01T00:00:00.000Z');
    const closed = { ...open, closedAt: '2030-01-01T00:00:00.000Z' };
    expect(await sessions.get(open)).toEqual(closed);
    expect((await sessions.list(tenantId, { userId: 'closer', limit: 10 })).sessions).toEqual([closed]);
  });
});

describe('a list', () => {
  it('shows the newest first, page by page, and each user their own', async () => {
    const made = ['2026-01-03', '2026-01-01', '2026-01-02', '2026-01-04', '2026-01-05'].map((day) => record('lister', `${day}T00:00:00.000Z`));
    for (const one of made) await sessions.create(one);
    await sessions.create(record('stranger'));
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await sessions.list(tenantId, { userId: 'lister', limit: 2, ...(cursor && { cursor }) });
      seen.push(...page.sessions.map(({ createdAt }) => createdAt));
      cursor = page.nextCursor;
    } while (cursor);
    expect(seen).toEqual(made.map(({ createdAt }) => createdAt).sort().reverse());
    const all = (await sessions.list(tenantId, { limit: 100 })).sessions;
    expect(all.map(({ userId }) => userId)).toEqual(expect.arrayContaining(['lister', 'stranger']));
  });

  it("does not go on in another user's list with a cursor of one's own", async () => {
    for (let count = 0; count < 3; count++) await sessions.create(record('victim'));
    const { nextCursor } = await sessions.list(tenantId, { userId: 'victim', limit: 1 });
    const { sessions: seen } = await sessions.list(tenantId, { userId: 'attacker', limit: 10, ...(nextCursor && { cursor: nextCursor }) });
    expect(nextCursor).toBeDefined();
    expect(seen).toEqual([]);
  });

  it.each(['nonsense', ''])('refuses the cursor %j', async (cursor) => {
    await expect(sessions.list(tenantId, { limit: 1, cursor })).rejects.toMatchObject({ code: 'request/malformed' });
  });
});

/** It is given without anybody waiting for it. */
async function keyOnceThere(look: () => Promise<Buffer | null>): Promise<Buffer> {
  for (let found = await look(); ; found = await look()) if (found) return found;
}
