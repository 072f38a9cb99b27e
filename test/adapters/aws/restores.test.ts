import type { EventBody } from '../../../src/contracts/events';
import { AgentConfig } from '../../../src/contracts/tenant';
import { backups, configs, log, memory, messages, newSession, restores, sessions, standingPlatform, standingTenant, users, waiting } from './tenants';

beforeAll(async () => {
  await standingPlatform();
});

const said = (text: string): EventBody => ({ type: 'message.completed', turnId: 'turn-1', step: 1, text, stopReason: 'end_turn' });

/** A tenant whose users have sessions and facts of their own, and something of all else. */
async function livedInTenant() {
  const tenant = await standingTenant();
  const { tenantId, infrastructure } = tenant;
  const ann = await users.create(infrastructure.userPoolId, { email: 'ann@example.com', groups: ['members'] });
  const session = newSession(tenantId);
  await sessions.create({ ...session, userId: ann.userId, createdAt: new Date().toISOString() });
  await messages.put(session, { turnId: 'turn-1', userId: ann.userId, text: 'my colour is blue' });
  await log.append(session, { after: 0, key: 'small', events: [said('my colour is blue')] });
  await log.append(session, { after: 1, key: 'large', events: [said('x'.repeat(700_000))] });
  await memory.remember({ tenantId, userId: ann.userId }, { requestId: 'r-1', text: 'color=blue' });
  await configs.put(tenantId, AgentConfig.parse({ systemPrompt: 'Speak like a pirate.' }));
  return { tenantId, infrastructure, ann, session };
}

const restored = async (into: string, source: { sourceTenantId: string; backupId: string; until?: string }) => {
  await restores.users(into, source, waiting);
  await restores.data(into, 'op-1', source, waiting);
  return restores.compare(into, source, waiting);
};

it('gives another tenant all that the first one had, under its own key and with its own user ids', async () => {
  const { tenantId, ann, session } = await livedInTenant();
  await backups.take(tenantId, 'bak-1', 'on-demand', waiting);
  const other = await standingTenant();
  const comparison = await restored(other.tenantId, { sourceTenantId: tenantId, backupId: 'bak-1' });
  expect(comparison.map(({ content, found, hashesAgree }) => [content, found, hashesAgree])).toEqual([
    ['users', 1, true],
    ['config', 1, true],
    ['memory', 1, true],
    ['table', 6, true],
    ['objects', 0, true],
  ]);
  const there = { tenantId: other.tenantId, sessionId: session.sessionId };
  const annThere = await users.create(other.infrastructure.userPoolId, { email: ann.email, groups: [] });
  expect(annThere).toMatchObject({ email: ann.email, groups: ['members'], enabled: true });
  expect(annThere.userId).not.toBe(ann.userId);
  const { userId } = annThere;
  expect(await sessions.get(there)).toMatchObject({ tenantId: other.tenantId, userId });
  expect((await sessions.list(other.tenantId, { userId, limit: 10 })).sessions).toHaveLength(1);
  expect(await messages.get(there, 'turn-1')).toMatchObject({ userId, text: 'my colour is blue' });
  expect((await log.read(there, { after: 0 })).map((event) => [event.seq, 'text' in event && event.text.length])).toEqual([[1, 17], [2, 700_000]]);
  expect(await memory.recall({ tenantId: other.tenantId, userId }, { text: 'color' })).toMatchObject([{ text: 'color=blue' }]);
  expect((await configs.get(other.tenantId)).systemPrompt).toBe('Speak like a pirate.');
});
