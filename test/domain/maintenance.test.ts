import { isPausedByOperation, isStale, jobsOf, leftOutOfBackup, pauseNote, restNote, resumeNote } from '../../src/domain/maintenance';
import { beginInspection, findingsToMarkdown, mostFindings, noteFindings, reportOf } from '../../src/domain/maintenance-report';
import type { Finding } from '../../src/contracts/maintenance';
import { maintenanceJobs } from '../../src/contracts/names';

const finding: Finding = { kind: 'orphan/resource', tenantId: 'ghost', subject: 's3:bucket a|b', message: 'two\nlines', repair: 'possible' };
const at = '2026-11-24T13:00:00.000Z';

it('knows whose each job is', () => {
  expect([...jobsOf('acme').keys(), ...jobsOf('platform').keys()].sort()).toEqual(Object.keys(maintenanceJobs).sort());
  expect([...jobsOf('acme').keys()].filter((name) => jobsOf('platform').has(name))).toEqual([]);
});

it('tells a pause by an operation from one by a person', () => {
  expect(isPausedByOperation(restNote('suspension_acme_x'))).toBe(true);
  for (const note of [pauseNote('operator 1', 'operation theatre'), resumeNote('operation x', 'y'), 'Paused via TypeScript SDK', '']) expect(isPausedByOperation(note)).toBe(false);
});

it('takes a session for stale only after its time', () => {
  const now = { nowMs: Date.parse(at), idleMs: 1_000 };
  expect(isStale('2026-11-24T12:59:58.999Z', now)).toBe(true);
  expect(isStale('2026-11-24T12:59:59.000Z', now)).toBe(false);
  expect(isStale(undefined, now)).toBe(false);
});

it('backs up who is active, and says why nobody else is', () => {
  expect(leftOutOfBackup('active')).toBeUndefined();
  for (const status of ['suspended', 'offboarding', 'provisioning', 'failed', 'deleted', undefined] as const) expect(leftOutOfBackup(status)).toMatch(/^(it|its) /);
});

describe('a report', () => {
  it('is clean when all is repaired', () => {
    expect(reportOf('drift', beginInspection(at), at)).toMatchObject({ outcome: 'clean', tenants: 0 });
    expect(reportOf('drift', noteFindings(beginInspection(at), [{ ...finding, repair: 'done' }]), at)).toMatchObject({ outcome: 'clean', tenants: 1 });
    for (const repair of ['none', 'possible', 'failed'] as const) expect(reportOf('drift', noteFindings(beginInspection(at), [{ ...finding, repair }]), at).outcome).toBe('findings');
  });

  it('counts what it has no room for', () => {
    const full = noteFindings(beginInspection(at), Array.from({ length: mostFindings - 1 }, () => finding));
    const over = noteFindings(full, [finding, finding, finding]);
    expect(reportOf('drift', over, at)).toMatchObject({ omitted: 2, tenants: 2 });
    expect(over.findings).toHaveLength(mostFindings);
    expect(findingsToMarkdown(over)).toContain(`and ${mostFindings - 100 + 2} more`);
  });

  it('is a table in which no text breaks out of its cell', () => {
    expect(findingsToMarkdown(noteFindings(beginInspection(at), [finding])).split('\n').at(-1)).toBe('| ghost | orphan/resource | s3:bucket a\\|b | two lines | can be repaired |');
  });
});
