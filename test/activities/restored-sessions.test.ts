import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createAdapters } from '../../src/composition';
import type { SessionRef } from '../../src/contracts/session';
import { createLogger } from '../../src/logging';
import { newTenant } from '../api/accounts';
import { startWorkers } from '../api/workers';
import { config } from '../adapters/aws/tenants';

const adapters = createAdapters(config, createLogger('worker', 'silent'));
const { sessionWorkflows, sessions, log, messages } = adapters;
const userId = 'ann';

let tenantId: string;
let stopWorkers: () => Promise<void>;

beforeAll(async () => {
  ({ tenantId } = await newTenant());
  stopWorkers = await startWorkers(adapters, [tenantId]);
});
afterAll(async () => {
  await stopWorkers();
  await adapters.close();
});

async function say(session: SessionRef, turnId: string): Promise<void> {
  await messages.put(session, { turnId, userId, text: 'hello' });
  await sessionWorkflows.submit(session, { turnId, userId, onBusy: 'enqueue' });
  const isAtRest = async () => {
    const { state, turnCount } = await sessionWorkflows.status(session);
    return state === 'idle' && turnCount > 0;
  };
  while (!(await isAtRest())) await delay(20);
}

const endsOf = async (session: SessionRef) => (await log.read(session, { after: 0 })).flatMap((event) => (event.type === 'turn.completed' ? [[event.turnId, event.outcome]] : []));

/** A session of a tenant that was restored: one turn was answered, and one cut off by the backup. Temporal knows nothing of it. */
async function restoredSession(): Promise<SessionRef> {
  const session = { tenantId, sessionId: `ses-${randomUUID()}` };
  await sessions.create({ ...session, userId, createdAt: new Date().toISOString() });
  await say(session, 'trn-answered');
  const { seq = 0 } = (await log.last(session)) ?? {};
  await log.append(session, { after: seq, key: 'trn-cut-off/1/started', events: [{ type: 'turn.queued', turnId: 'trn-cut-off' }, { type: 'turn.started', turnId: 'trn-cut-off', text: 'hello' }] });
  const isKnown = async () => (await sessionWorkflows.isRunning(session)) || (await sessionWorkflows.hasEnded(session));
  while (await isKnown()) {
    await sessionWorkflows.forgetAll(tenantId);
    await delay(50);
  }
  return session;
}

it('ends a turn that was cut off before the restore although its message is what is sent first', async () => {
  const session = await restoredSession();
  await say(session, 'trn-cut-off');
  expect(await endsOf(session)).toEqual([
    ['trn-answered', 'completed'],
    ['trn-cut-off', 'cancelled'],
  ]);
});

it('knows what was before the restore although its first turn is cancelled before it thinks', async () => {
  const session = await restoredSession();
  await messages.put(session, { turnId: 'trn-new', userId, text: 'hello' });
  await sessionWorkflows.submit(session, { turnId: 'trn-new', userId, onBusy: 'enqueue' });
  await sessionWorkflows.cancel(session, 'trn-new');
  await say(session, 'trn-answered');
  expect(await endsOf(session)).toEqual([
    ['trn-answered', 'completed'],
    ['trn-cut-off', 'cancelled'],
    ['trn-new', 'cancelled'],
  ]);
  expect((await sessionWorkflows.status(session)).turnCount).toBe(3);
});

it('ends a turn that was cut off before the restore when nothing is asked of the session but to close', async () => {
  const session = await restoredSession();
  await sessionWorkflows.close(session, { userId });
  while (!(await sessionWorkflows.hasEnded(session))) await delay(20);
  expect(await endsOf(session)).toEqual([
    ['trn-answered', 'completed'],
    ['trn-cut-off', 'cancelled'],
  ]);
  expect((await log.read(session, { after: 0 })).at(-1)?.type).toBe('session.closed');
});
