import type { MachineClient } from '../../src/contracts/access';
import { machineAccess } from '../../src/contracts/names';
import { delegable } from '../../src/domain/admission';
import { abandoned, machineClientDrift, type MachineClientSight } from '../../src/domain/machine-client-drift';

const seenAtMs = Date.parse('2026-11-29T12:00:00Z');
const at = (secondsFromNow: number) => new Date(seenAtMs + secondsFromNow * 1_000).toISOString();
const appClient = (oauthClientId: string, secondsAgo = 86_400, tenantId = 'acme') => ({ oauthClientId, name: machineAccess.appClient(tenantId, 'c'.repeat(16), seenAtMs - secondsAgo * 1_000) });
const client = (changes: Partial<MachineClient> = {}): MachineClient => ({
  clientId: 'c'.repeat(16),
  name: 'orders',
  permissions: ['read:session'],
  credentials: [{ oauthClientId: 'current', since: at(-86_400) }],
  createdBy: 'ann',
  createdAt: at(-86_400),
  ...changes,
});
const sight = (registered: readonly MachineClient[], appClients: MachineClientSight['pool']['appClients'], pool: Partial<MachineClientSight['pool']> = {}): MachineClientSight => ({
  registered,
  pool: { appClients: [{ oauthClientId: 'sign-in', name: 'tenant-acme-client' }, ...appClients], scopes: delegable, hasDomain: true, ...pool },
  seenAtMs,
});
const kinds = (seen: MachineClientSight) => machineClientDrift('acme', seen, ['sign-in']).map(({ finding: { kind, subject }, remedy }) => [kind, subject, remedy]);

it('says nothing where nothing differs, or nobody has a machine client', () => {
  expect(kinds(sight([client()], [appClient('current')]))).toEqual([]);
  expect(kinds(sight([], [], { scopes: [], hasDomain: false }))).toEqual([]);
});

it('misses a secret that is good, and none whose time is over', () => {
  const rotated = (until: string) => client({ credentials: [{ oauthClientId: 'current', since: at(-60) }, { oauthClientId: 'before', since: at(-86_400), until }] });
  expect(kinds(sight([rotated(at(60))], [appClient('current')]))).toEqual([['resource/missing', 'cognito:user-pool-client before', undefined]]);
  expect(kinds(sight([rotated(at(-1))], [appClient('current')]))).toEqual([]);
  expect(kinds(sight([client({ revokedAt: at(-60) })], []))).toEqual([]);
});

it('gives up what was revoked or replaced, unless it was made just now; and what is not its own never', () => {
  const found = (registered: readonly MachineClient[], ...appClients: { oauthClientId: string; name: string }[]) => abandoned('acme', sight(registered, appClients)).map(({ oauthClientId }) => oauthClientId);
  expect(found([client({ revokedAt: at(-60) })], appClient('current'))).toEqual(['current']);
  expect(found([client()], appClient('current'), appClient('replaced'))).toEqual(['replaced']);
  expect(found([], appClient('young', 60), appClient('old', 1_000))).toEqual(['old']);
  expect(found([], { oauthClientId: 'of an earlier version', name: `tenant-acme-machine-${'c'.repeat(16)}` })).toEqual(['of an earlier version']);
  expect(found([], appClient('other', 86_400, 'acme-two'), { oauthClientId: 'by hand', name: 'partner' })).toEqual([]);
  expect(kinds(sight([], [{ oauthClientId: 'by hand', name: 'partner' }]))).toEqual([['resource/unrecorded', 'cognito:user-pool-client partner', undefined]]);
});

it('compares scopes and domain where somebody needs them', () => {
  const registered = [client()];
  expect(kinds(sight(registered, [appClient('current')], { scopes: delegable.slice(1) }))).toEqual([['resource/differs', 'cognito:resource-server tenure', 'offer_scopes']]);
  expect(kinds(sight(registered, [appClient('current')], { scopes: [...delegable, 'everything'] }))).toEqual([['resource/differs', 'cognito:resource-server tenure', 'offer_scopes']]);
  expect(kinds(sight(registered, [appClient('current')], { hasDomain: false }))).toEqual([['resource/missing', 'cognito:domain', undefined]]);
});
