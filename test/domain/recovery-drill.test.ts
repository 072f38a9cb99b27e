import type { BackupSummary } from '../../src/contracts/backup';
import { advance, beginOperation } from '../../src/domain/operation';
import { drillBackup, figuresOf, turnOf } from '../../src/domain/recovery-drill';

const at = (seconds: number) => new Date(Date.UTC(2026, 10, 24, 5, 30, seconds)).toISOString();
const backup = (backupId: string, verified: boolean): BackupSummary => ({
  backupId,
  tenantId: 'acme',
  createdAt: at(0),
  format: 'tenure-backup/2',
  reason: 'scheduled',
  storedBytes: 1,
  bytes: 1,
  records: {},
  ...(verified && { verification: { verifiedAt: at(1), verifiedBy: 'x' } }),
});

it('gives each tenant its turn, night after night', () => {
  const nights = Array.from({ length: 6 }, (_, day) => turnOf(3, 1, new Date(Date.UTC(2026, 10, 24 + day, 5)).toISOString()));
  expect(new Set(nights).size).toBe(3);
  expect(nights.slice(0, 3)).toEqual(nights.slice(3));
  expect(turnOf(0, 1, at(0))).toBe(0);
});

it('takes the newest verified backup, or the newest when none is', () => {
  expect(drillBackup([backup('new', false), backup('old', true)])?.backupId).toBe('old');
  expect(drillBackup([backup('new', false), backup('old', false)])?.backupId).toBe('new');
  expect(drillBackup([])).toBeUndefined();
});

describe('the figures', () => {
  let operation = beginOperation({ operationId: 'rehearsal_scratch-1_x', kind: 'rehearsal', tenantId: 'scratch-1', at: at(0) });
  for (const [step, from, to] of [['reserve', 0, 1], ['restore_data', 1, 21], ['compare', 21, 24], ['empty_bucket', 24, 59]] as const)
    for (const [state, seconds] of [['running', from], ['completed', to]] as const) operation = advance(operation, { step, state, at: at(seconds) });
  const drilled = { tenantId: 'acme', backupId: 'bak-1', createdAt: at(-600) };

  it('say how long until the tenant is back, without clearing away', () => {
    const { recoverySeconds, steps } = figuresOf(drilled, operation, at(0));
    expect(recoverySeconds).toBe(24);
    expect(steps.find(({ name }) => name === 'restore_data')).toEqual({ name: 'restore_data', seconds: 20 });
  });

  it('say what happened since the backup, and nothing when nothing did', () => {
    expect(figuresOf({ ...drilled, newestEventAt: at(-60) }, operation, at(0))).toMatchObject({ dataLossSeconds: 540, backupAgeSeconds: 600 });
    expect(figuresOf({ ...drilled, newestEventAt: at(-900) }, operation, at(0)).dataLossSeconds).toBe(0);
    expect(figuresOf(drilled, operation, at(0)).dataLossSeconds).toBe(0);
  });
});
