import { budgetCounters, tableKeys } from '../../src/contracts/names';
import type { BackupRecord } from '../../src/domain/backup-content';
import { beforeAnyRecord, recordAtPoint, restorePoint } from '../../src/domain/restore-point';

const [early, late] = ['2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z'];
const batch = (sessionId: string, firstSeq: number, at: string, count = 1) => ({ pk: tableKeys.events(sessionId), sk: tableKeys.batch(firstSeq), count, at });

async function* inTurn(records: readonly BackupRecord[]) {
  for (const record of records) yield await Promise.resolve(record);
}

/** What is kept of a table that was backed up in this order. */
async function kept(records: readonly BackupRecord[], until?: string): Promise<BackupRecord[]> {
  const point = await restorePoint(until, inTurn(records));
  let reached = beforeAnyRecord;
  return records.flatMap((record) => {
    const step = recordAtPoint(reached, record, point);
    reached = step.progress;
    return step.kept;
  });
}

it('cuts a log at its first younger batch and at a gap, and never goes on behind', async () => {
  expect(await kept([batch('s', 1, early), batch('s', 2, late), batch('s', 3, early)], early)).toHaveLength(1);
  expect(await kept([batch('s', 1, early), batch('s', 3, early)])).toHaveLength(1);
  // The next log is another one.
  expect(await kept([batch('r', 1, early, 3), batch('r', 4, late), batch('s', 1, early), batch('s', 2, early)], early)).toEqual([batch('r', 1, early, 3), batch('s', 1, early), batch('s', 2, early)]);
});

describe('what was counted of a session', () => {
  const counted = (sessionId: string, seq: number) => ({ pk: tableKeys.session(sessionId), sk: tableKeys.counted(), seq });
  const log = (sessionId: string) => [batch(sessionId, 1, early, 3), batch(sessionId, 4, late, 2)];
  const isCounted = ({ sk }: BackupRecord) => sk === tableKeys.counted();

  it.each<[string, BackupRecord[]]>([
    ['before its log', [counted('a', 5), counted('b', 2), ...log('a'), ...log('b')]],
    ['behind its log', [...log('a'), ...log('b'), counted('a', 5), counted('b', 2)]],
  ])('goes no further than the log does, %s', async (_where, records) => {
    expect((await kept(records, early)).filter(isCounted)).toEqual([counted('a', 3), counted('b', 2)]);
    expect((await kept(records)).filter(isCounted)).toEqual([counted('a', 5), counted('b', 2)]);
  });

  it('goes no further than the log in a whole backup, either: it may have been counted while it was read', async () => {
    expect((await kept([...log('a'), counted('a', 7)])).filter(isCounted)).toEqual([counted('a', 5)]);
    expect(await kept([counted('a', 7)])).toEqual([]);
  });

  it('is nothing when nothing is left of the log', async () => {
    expect(await kept([counted('a', 1), batch('a', 1, late)], early)).toEqual([]);
  });
});

describe('a session whose use is followed', () => {
  const session = (closedAt?: string, createdAt = early) => ({ pk: tableKeys.session('a'), sk: tableKeys.record(), userId: 'ann', createdAt, ...(closedAt !== undefined && { closedAt }) });
  const followed = { pk: tableKeys.openSessions(), sk: 'a', userId: 'ann' };

  it.each<[string, BackupRecord[], BackupRecord[]]>([
    ['is open again, and was counted to its end', [session(late)], [session(), followed]],
    ['is open again, and was not', [followed, session(late)], [session(), followed]],
    ['is open', [session(), followed], [session(), followed]],
    ['is closed, and not counted to its end', [session(early), followed], [session(early), followed]],
    ['is closed and counted', [session(early)], [session(early)]],
    ['is not there yet', [session(undefined, late), followed], []],
    ['was erased', [{ pk: tableKeys.session('a'), sk: tableKeys.record(), erased: true }], [{ pk: tableKeys.session('a'), sk: tableKeys.record(), erased: true }]],
  ])('at the point %s', async (_what, records, expected) => {
    expect(await kept(records, early)).toEqual(expected);
  });
});

describe('an approval', () => {
  const asked = (requestedAt: string) => ({ approvalId: 'apr-1', tool: 'pay', userId: 'ann', requestedAt, state: 'waiting' });
  const decided = (requestedAt: string, decidedAt: string) => ({ ...asked(requestedAt), state: 'approved', by: ['bob'], expired: true, decidedAt });
  const byId = (record: BackupRecord) => ({ pk: tableKeys.approvals('s'), sk: 'apr-1', ...record });
  const inList = (list: 'waiting' | 'decided', record: BackupRecord) => ({ pk: tableKeys.approvalList(list), sk: tableKeys.listed(String(record['requestedAt']), 'apr-1'), ...record });

  it.each<[string, BackupRecord[], BackupRecord[]]>([
    ['was not asked for yet', [byId(asked(late)), inList('waiting', asked(late))], []],
    ['waits', [byId(asked(early)), inList('waiting', asked(early))], [byId(asked(early)), inList('waiting', asked(early))]],
    ['is decided', [byId(decided(early, early)), inList('decided', decided(early, early))], [byId(decided(early, early)), inList('decided', decided(early, early))]],
    ['waits that was decided since', [byId(decided(early, late)), inList('decided', decided(early, late))], [byId(asked(early)), inList('waiting', asked(early))]],
    ['waits once, though the backup has it in both lists', [inList('waiting', asked(early)), byId(decided(early, late)), inList('decided', decided(early, late))], [byId(asked(early)), inList('waiting', asked(early))]],
  ])('at the point %s', async (_what, records, expected) => {
    expect(await kept(records, early)).toEqual(expected);
    expect(await kept(records)).toEqual(records);
  });
});

it('leaves out calls that began later', async () => {
  const call = (callId: string, begunAt: string) => ({ pk: tableKeys.calls('s'), sk: tableKeys.call('turn-1', 1, callId), state: 'begun', begunAt });
  expect(await kept([call('a', early), call('b', late)], early)).toEqual([call('a', early)]);
});

it('leaves out messages that came later', async () => {
  const message = (turnId: string, at: string) => ({ pk: tableKeys.messages('s'), sk: turnId, at });
  expect(await kept([message('turn-1', early), message('turn-2', late)], early)).toEqual([message('turn-1', early)]);
});

it.each([undefined, early])('leaves out what was held for steps, and counts it as lost (until %s)', async (until) => {
  const reservation = { pk: tableKeys.reservations('s'), sk: tableKeys.reservation('turn-1', 1), holder: 'h', amounts: {}, counters: [] };
  const counter = (figures: object) => ({ pk: tableKeys.budget(budgetCounters.tenantMonth(early)), sk: tableKeys.budgetCounter(), settled_tokens: 5, committed_tokens: 12, ...figures });
  expect(await kept([counter({ reserved_tokens: 3, lost_tokens: 4 }), reservation], until)).toEqual([counter({ lost_tokens: 7 })]);
  expect(await kept([counter({ reserved_tokens: 0 })], until)).toEqual([counter({ reserved_tokens: 0 })]);
});
