import type { KeptBackup } from '../../src/contracts/backup';
import { certify, withSchedules } from '../../src/domain/certificate';
import { beginOperation } from '../../src/domain/operation';

const at = '2026-01-31T12:00:00.000Z';
const operation = beginOperation({ operationId: 'offboarding_acme_x', kind: 'offboarding', tenantId: 'acme', at });
const request = { tenantId: 'acme', graceSeconds: 0, drain: { policy: 'wait', seconds: 5 }, rehearsal: 'required', histories: 'deleted', requestedBy: 'ann' } as const;
const nothing = { resources: [], checks: [] };
const backup = { outcome: 'impossible', reason: 'lost', keyArn: 'arn', keyState: 'Disabled', checkedAt: at } as const;
const placeOf = (backupId: string) => ({ backupId, location: `s3://backups/acme/${backupId}/` });
const complete = (backupId: string, reason: 'scheduled' | 'farewell', createdAt: string): KeptBackup => ({ ...placeOf(backupId), state: 'complete', reason, createdAt });

const evidence = {
  displayName: 'Acme',
  operation,
  request,
  before: { report: nothing, location: 's3://backups/certificates', sha256: 'ab', takenAt: at },
  after: nothing,
  keys: [],
  backup,
  backups: [],
  rehearsal: { outcome: 'skipped', reason: 'none' },
  issuedAt: at,
} as const;

const keptWith = (more: Partial<Parameters<typeof certify>[0]>) => certify({ ...evidence, ...more }).kept;

it('names each backup with its place; all end with the newest', () => {
  const kept = keptWith({ backups: [complete('bak-old', 'scheduled', '2026-01-01T00:00:00.000Z'), complete('bak-last', 'farewell', '2026-01-31T00:00:00.000Z')] });
  expect(kept.slice(0, 2).map(({ what, until }) => [/bak-\w+(?= \()/.exec(what)?.[0], until])).toEqual([
    ['bak-last', '2026-05-01T00:00:00.000Z'],
    ['bak-old', '2026-05-01T00:00:00.000Z'],
  ]);
  expect(kept[1]?.what).toContain('s3://backups/acme/bak-old/');
});

it('names what is no backup, too', () => {
  const kept = keptWith({ backups: [{ ...placeOf('bak-1'), state: 'unfinished', startedAt: '2026-01-30T00:00:00.000Z' }, { ...placeOf('bak-2'), state: 'unfinished', startedAt: undefined }, { ...placeOf('bak-3'), state: 'damaged' }] });
  expect(kept.slice(0, 3).map(({ until }) => until)).toEqual(['2026-02-06T00:00:00.000Z', 'it is deleted by an operator', 'it is deleted by an operator']);
});

it('says of sessions that Temporal still lists that it was asked to delete them, and when it was looked', () => {
  const left = (listed: number, held: number) => keptWith({ histories: { listed, held, checkedAt: at } }).filter(({ what }) => what.includes(at));
  expect(left(0, 0)).toEqual([]);
  expect(left(3, 1)).toMatchObject([{ what: expect.stringMatching(/^3 closed sessions .* 1 of them with their history/) as string, why: expect.stringContaining('asked to delete') as string }]);
});

it('counts what ran by the clock among what the tenant had: it was deleted before the inventory was taken', () => {
  const check = { service: 'temporal', type: 'schedule', call: 'ListSchedules', checkedAt: at };
  const late = { service: 'temporal', type: 'schedule', name: 'acme/schedules/usage' };
  const report = withSchedules('acme', { resources: [late], checks: [{ ...check, found: 1 }] }, [{ name: 'backup' }, { name: 'usage' }]);
  expect(report).toEqual({ resources: [late, { ...late, name: 'acme/schedules/backup' }], checks: [{ ...check, found: 2 }] });
  const { resources, checks } = certify({ ...evidence, before: { ...evidence.before, report }, after: { resources: [], checks: [{ ...check, found: 0 }] } });
  expect(resources).toMatchObject([{ name: 'acme/schedules/usage', outcome: 'absent' }, { name: 'acme/schedules/backup', outcome: 'absent', call: 'ListSchedules', checkedAt: at }]);
  expect(checks).toMatchObject([{ before: 2, after: 0 }]);
});
