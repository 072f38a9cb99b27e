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

it('says of a session whose first turn ended before it came to think that it began, and once', async () => {
  const { tenantId } = await newTenant();
  const session = { tenantId, sessionId: `ses-${randomUUID()}` };
  const agent = { name: 'research', version: 3 };
  const end = (turnId: string, after: number) =>
    new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run<[EndTurnInput], EndedTurn, typeof activities.endTurn>((input) => activities.endTurn(input), { ...session, turnId, agent, announced: false, after, end: { outcome: 'cancelled' } });
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
