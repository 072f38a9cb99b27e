import { randomUUID } from 'node:crypto';
import type { Valkey } from '../../../src/adapters/valkey/connection';
import { createValkey } from '../../../src/adapters/valkey/connection';
import { createPlaces } from '../../../src/adapters/valkey/places';
import { loadConfig } from '../../../src/config';
import { codeOf } from '../../../src/contracts/errors';
import { valkeyKeys } from '../../../src/contracts/names';
import { connected, quiet } from './own-valkey';

let replicas: Valkey[];
beforeAll(async () => {
  replicas = await Promise.all([1, 2].map(() => connected(loadConfig().valkey.url)));
});
afterAll(() => Promise.all(replicas.map((valkey) => valkey.close())));
const both = () => replicas.map(createPlaces) as [ReturnType<typeof createPlaces>, ReturnType<typeof createPlaces>];

const newPlace = (tenantId: string, userId = 'ada', id = randomUUID()) => ({ tenantId, thing: 'streams', userId, id }) as const;
const newTenantId = () => `t-${randomUUID()}`;
const limits = { all: 3, share: 2 };
const longMs = 60_000;

it('gives no more than there are, to a tenant and to each of its users, over all replicas', async () => {
  const [one, other] = both();
  const tenantId = newTenantId();
  expect(await one.take(newPlace(tenantId), limits, longMs)).toEqual({ taken: true, bound: 'share', remaining: 1 });
  expect(await other.take(newPlace(tenantId), limits, longMs)).toMatchObject({ taken: true, remaining: 0 });
  expect(await one.take(newPlace(tenantId), limits, longMs)).toEqual({ taken: false, bound: 'share', remaining: 0 });
  expect(await one.take(newPlace(tenantId, 'bob'), limits, longMs)).toMatchObject({ taken: true });
  expect(await other.take(newPlace(tenantId, 'bob'), limits, longMs)).toEqual({ taken: false, bound: 'all', remaining: 0 });
  expect(await other.take(newPlace(newTenantId()), limits, longMs)).toMatchObject({ taken: true });
});

it('never gives more to replicas that race', async () => {
  const tenantId = newTenantId();
  const asked = both().flatMap((places) => Array.from({ length: 50 }, () => places.take(newPlace(tenantId), { all: 20, share: 20 }, longMs)));
  expect((await Promise.all(asked)).filter(({ taken }) => taken)).toHaveLength(20);
});

it('takes the same place once, however often it is asked for', async () => {
  const [places] = both();
  const tenantId = newTenantId();
  const place = newPlace(tenantId);
  await places.take(place, { all: 1, share: 1 }, longMs);
  expect(await places.take(place, { all: 1, share: 1 }, longMs)).toMatchObject({ taken: true });
  expect(await places.take(newPlace(tenantId), { all: 1, share: 1 }, longMs)).toMatchObject({ taken: false });
});

it('has a place again once one is left, or vacated by who does not know whose it was', async () => {
  const [places] = both();
  const tenantId = newTenantId();
  const [first, second] = [newPlace(tenantId), newPlace(tenantId)];
  const one = { all: 1, share: 1 };
  await places.take(first, one, longMs);
  await places.leave(first);
  expect(await places.take(second, one, longMs)).toMatchObject({ taken: true });
  await places.vacate({ tenantId, thing: 'streams', id: second.id });
  expect(await places.take(first, one, longMs)).toMatchObject({ taken: true });
  // Nobody's, and again.
  await places.vacate({ tenantId, thing: 'streams', id: second.id });
  await places.leave(second);
});

it('gets the places of a process that died back, and those that are kept not', async () => {
  const [places] = both();
  const tenantId = newTenantId();
  const two = { all: 2, share: 2 };
  const forMs = 200;
  const kept = newPlace(tenantId);
  await places.take(kept, two, forMs);
  await places.keep(kept, longMs);
  // Beside one that is kept: Valkey forgets the places of a tenant as a whole once none of them is.
  await places.take(newPlace(tenantId), two, forMs);
  expect(await replicas[0]?.commands.pttl(valkeyKeys.places(tenantId, 'streams'))).toBeGreaterThan(longMs / 2);
  const sinceMs = performance.now();
  while (!(await places.take(newPlace(tenantId), two, longMs)).taken) expect(performance.now() - sinceMs).toBeLessThan(5_000);
  expect(performance.now() - sinceMs).toBeGreaterThan(forMs / 2);
  expect(await places.take(newPlace(tenantId), two, longMs)).toMatchObject({ taken: false });
});

it('gives nothing while nobody counts; what is held is kept and left without a word', async () => {
  const absent = createValkey('redis://127.0.0.1:1', quiet);
  const places = createPlaces(absent);
  const place = newPlace(newTenantId());
  expect(await places.take(place, limits, longMs).then(() => 'none', codeOf)).toBe('dependency/unavailable');
  await places.keep(place, longMs);
  await places.leave(place);
  await places.vacate(place);
  await absent.close();
});
