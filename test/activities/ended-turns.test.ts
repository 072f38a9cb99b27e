import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { createSessionActivities } from '../../src/activities/session';
import type { EndedTurn, EndTurnInput } from '../../src/activities/session/turn';
import { createAdapters } from '../../src/composition';
import { createLogger } from '../../src/logging';
import { newTenant } from '../api/accounts';
import { config } from '../adapters/aws/tenants';

const adapters = createAdapters(config, createLogger('worker', 'silent'));
const { log } = adapters;
const activities = createSessionActivities(adapters);
afterAll(() => adapters.close());

const endTurn = (input: EndTurnInput) => new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run<[EndTurnInput], EndedTurn, typeof activities.endTurn>((given) => activities.endTurn(given), input);

it('says of a session whose first turn ended before it came to think that it began, and once', async () => {
  const { tenantId } = await newTenant();
  const session = { tenantId, sessionId: `ses-${randomUUID()}` };
  const agent = { name: 'research', version: 3 };
  const end = (turnId: string, after: number) => endTurn({ ...session, turnId, agent, announced: false, after, end: { outcome: 'cancelled' } });
  const { head } = await end('trn-1', 0);
  await end('trn-1', 0);
  await end('trn-2', head);
  expect(await log.read(session, { after: 0 })).toMatchObject([
    { type: 'session.started', agent },
    { type: 'turn.queued', turnId: 'trn-1' },
    { type: 'turn.completed', turnId: 'trn-1' },
    { type: 'turn.queued', turnId: 'trn-2' },
    { type: 'turn.completed', turnId: 'trn-2' },
  ]);
});

it('says whether its answer had been written when a turn was to end', async () => {
  const { tenantId } = await newTenant();
  const session = { tenantId, sessionId: `ses-${randomUUID()}` };
  const turnId = 'trn-1';
  await log.append(session, { after: 0, key: 'trn-1/1/completed', events: [{ type: 'session.started' }, { type: 'turn.queued', turnId }, { type: 'turn.completed', turnId, outcome: 'completed' }] });
  const late = { ...session, announced: false, end: { outcome: 'cancelled' } } as const;
  expect(await endTurn({ ...late, turnId, after: 0 })).toEqual({ head: 3, unseen: [], completed: true });
  expect(await endTurn({ ...late, turnId: 'trn-2', after: 3 })).toEqual({ head: 5, unseen: [] });
  // Again, as its answer was lost.
  expect(await endTurn({ ...late, turnId: 'trn-2', after: 3 })).toEqual({ head: 5, unseen: [] });
});
