import type { Finding } from '../../src/contracts/maintenance';
import { AuditTally, type CountedRequest, objectOf, outcomeOf, repairsIn } from '../../src/domain/audit';

const at = (second: number) => new Date(second * 1_000).toISOString();
const denied = (changes: Partial<CountedRequest> = {}): CountedRequest => ({
  tenantId: 'acme',
  at: at(0),
  actor: { kind: 'anonymous' },
  action: 'GET /api/v1/tenants/{tenantId}/sessions',
  object: 'tenants/acme/sessions',
  outcome: 'denied',
  status: 401,
  code: 'auth/unauthenticated',
  requestId: 'req-1',
  address: '192.0.2.1',
  ...changes,
});

describe('a tally of denied requests', () => {
  it('tells a single one as it is, and many alike as one, with the first time and the last request', () => {
    const tally = new AuditTally();
    tally.add(denied());
    tally.add(denied({ at: at(1), requestId: 'req-2', address: '192.0.2.2' }));
    tally.add(denied({ at: at(2), requestId: 'req-3' }));
    expect(tally.take()).toEqual([
      { tenantId: 'acme', event: expect.objectContaining({ address: '192.0.2.1', requestId: 'req-3', at: at(2), count: 2, since: at(0) }) as object },
      { tenantId: 'acme', event: expect.not.objectContaining({ count: expect.anything() as unknown }) as object },
    ]);
    expect(tally.take()).toEqual([]);
  });

  /** Guarantees that a flood costs no more than a hundred-odd entries, and that none of its requests is lost from the count. */
  it('holds a bounded number of kinds whatever a million requests say', () => {
    const tally = new AuditTally();
    for (let index = 0; index < 100_000; index += 1)
      tally.add(denied({ tenantId: `t-${index % 5_000}`, object: `tenants/${index}`, address: `2001:db8::${index.toString(16)}`, actor: { kind: 'user', id: String(index) } }));
    const taken = tally.take();
    expect(taken.length).toBeLessThanOrEqual(125);
    expect(taken.reduce((sum, { event }) => sum + (event.count ?? 1), 0)).toBe(100_000);
  });

  it('goes on counting what could not be written', () => {
    const tally = new AuditTally();
    for (let second = 0; second < 3; second += 1) tally.add(denied({ at: at(second) }));
    const [{ event } = { event: denied() }] = tally.take();
    tally.add({ tenantId: 'acme', ...event });
    tally.add(denied({ at: at(9) }));
    expect(tally.take()[0]?.event).toMatchObject({ count: 4, since: at(0), at: at(9) });
  });
});

it.each([
  [200, false, 'done'],
  [202, false, 'done'],
  [401, false, 'denied'],
  [403, false, 'denied'],
  [429, false, 'denied'],
  [404, true, 'denied'],
  [404, false, 'refused'],
  [409, false, 'refused'],
  [503, false, 'failed'],
] as const)('calls an answer %i (of another: %s) %s', (status, isDenial, outcome) => {
  expect(outcomeOf(status, isDenial)).toBe(outcome);
});

/** What a path holds is the caller's to choose: a token, a password, a text. */
it('names objects by their ids, and writes nothing down that is none', () => {
  const path = '/api/v1/tenants/{tenantId}/sessions/{sessionId}';
  expect(objectOf(path, { tenantId: 'acme', sessionId: 'ses-1' })).toBe('tenants/acme/sessions/ses-1');
  expect(objectOf(path, { tenantId: 'acme', sessionId: 'my password is hunter2' })).toBe('tenants/acme/sessions/?');
  expect(objectOf(path, { tenantId: 'x'.repeat(129) })).toBe('tenants/?/sessions/?');
});

it('tells of what the maintenance changed, and not of what it only found', () => {
  const finding = (tenantId: string, repair: Finding['repair']): Finding => ({ kind: 'resource/missing', tenantId, subject: `s3:bucket ${tenantId}`, message: 'a message', repair });
  const repairs = repairsIn([finding('a', 'done'), finding('b', 'none'), finding('c', 'possible'), finding('d', 'failed')], { job: 'drift', at: at(0), workflowId: 'platform/maintenance/drift' });
  expect([...repairs.keys()]).toEqual(['a', 'd']);
  expect(repairs.get('a')).toEqual([
    { at: at(0), actor: { kind: 'workflow', id: 'platform/maintenance/drift' }, action: 'maintenance/drift', object: 'resource/missing s3:bucket a', outcome: 'done' },
  ]);
});
