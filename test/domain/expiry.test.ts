import { expiryOf, type KeptOfTenant } from '../../src/domain/expiry';

const nowMs = Date.parse('2026-06-15T12:00:00.000Z');
const hoursAgo = (hours: number): string => new Date(nowMs - hours * 3_600_000).toISOString();
const daysAgo = (days: number): string => hoursAgo(24 * days);
const verification = { verifiedAt: daysAgo(0), verifiedBy: 'backup_acme_x' };
const nightly = (hours: number) => ({ backupId: `bak-${hours}`, createdAt: hoursAgo(hours), reason: 'scheduled' as const, verification });
const farewell = (days: number) => ({ backupId: `bak-${days}`, createdAt: daysAgo(days), reason: 'farewell' as const, verification });
const working: KeptOfTenant = { tenantId: 'acme', tenant: { status: 'active', createdAt: daysAgo(30) }, departure: 'stays', backups: [], damaged: [], nowMs };
const kindsOf = (kept: Partial<KeptOfTenant>) => expiryOf({ ...working, ...kept }).map(({ kind, subject }) => `${kind} ${subject}`);

it('finds a tenant without a verified backup of the last night', () => {
  expect(kindsOf({ backups: [nightly(20)] })).toEqual([]);
  expect(kindsOf({ backups: [nightly(40)] })).toEqual(['backup/overdue bak-40']);
  expect(kindsOf({ backups: [{ backupId: 'bak-1', createdAt: hoursAgo(1), reason: 'on-demand' }, nightly(40)] })).toEqual(['backup/overdue bak-1']);
  expect(kindsOf({ backups: [] })).toEqual(['backup/overdue no backup']);
  expect(kindsOf({ tenant: { status: 'active', createdAt: hoursAgo(3) } })).toEqual([]);
});

it('asks no nightly backup of a tenant that rests, but one at all', () => {
  const resting = { tenant: { status: 'suspended' as const, createdAt: daysAgo(30) } };
  expect(kindsOf({ ...resting, backups: [nightly(400)] })).toEqual([]);
  expect(kindsOf(resting)).toEqual(['backup/overdue no backup']);
});

it('gives two weeks of notice before the last backup of a departed tenant goes', () => {
  const left = { tenantId: 'gone', departure: 'left' as const };
  expect(kindsOf({ ...left, backups: [farewell(75)] })).toEqual([]);
  expect(kindsOf({ ...left, backups: [farewell(77)] })).toEqual(['backup/expiring bak-77']);
  expect(kindsOf(left)).toEqual([]);
});

it('finds what is damaged, whatever became of its tenant', () => {
  for (const departure of ['stays', 'left', 'changing'] as const) expect(kindsOf({ departure, backups: [nightly(20)], damaged: ['bak-1'] })).toEqual(['backup/damaged bak-1']);
});

it('finds who is gone without a certificate, and leaves out whom an operation works on', () => {
  expect(kindsOf({ tenantId: 'ghost', departure: 'unproven', backups: [farewell(100)] })).toEqual(['certificate/missing ghost']);
  expect(kindsOf({ departure: 'changing' })).toEqual([]);
});
