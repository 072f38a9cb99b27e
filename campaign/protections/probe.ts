import { of } from './protection';

const probe = 'test/api/isolation-probe.test.ts';
const judge = 'src/domain/isolation-probe.ts';
const activities = 'src/activities/maintenance/isolation-probe.ts';

/** "The isolation probe". */
export const ofProbe = [
  ...of(
    'every kind of resource is tried',
    probe,
    { id: 'probe-tries-the-table', file: 'src/adapters/isolation-probe/aws-doors.ts', search: '    table: [\n', replace: '    table: [],\n    ...void [\n', name: 'is refused everywhere' },
    { id: 'probe-tries-the-routes', file: 'src/adapters/isolation-probe/api-doors.ts', search: 'routes.filter(isOfTenants)', replace: 'routes.slice(0, 0).filter(isOfTenants)', name: 'is refused everywhere' },
  ),
  ...of('a role that is widened is found', probe, { id: 'probe-finds-roles', file: judge, search: "if (other === 'entered') return { answer: 'got_through', why: 'It was let in.' };", replace: "if (other === 'entered') return { answer: 'refused' };", name: "in the role's policy is found" }),
  ...of("an API that does not ask whose a token is, is found", probe, { id: 'probe-finds-routes', file: 'src/adapters/isolation-probe/api-doors.ts', search: "? 'refused' : 'entered';\n  await response.body?.cancel();", replace: "? 'refused' : 'refused';\n  await response.body?.cancel();", name: "in the API's check of the tenant is found" }),
  ...of("a process that opens one tenant's data in the name of another is found", probe, { id: 'probe-finds-ciphers', file: 'src/adapters/isolation-probe/sealed-doors.ts', search: "    await opening;\n    return 'entered';", replace: "    await opening;\n    return 'refused';", name: 'in the cipher of a process' }),
  ...of('a refusal that proves nothing is not counted as one', 'test/domain/isolation-probe.test.ts', { id: 'probe-proves', file: judge, search: "if (home === undefined || home === 'entered') return { answer: 'refused' };", replace: "if (home !== null) return { answer: 'refused' };", name: 'takes a refusal for isolation only where the same opens at home' }),
  ...of(
    'a breach is reported, alarmed, and suspends if set',
    probe,
    { id: 'probe-alarms', file: activities, search: '    await metrics.count(names.isolationBreaches, tenantId);\n', replace: '', name: 'told to CloudWatch' },
    { id: 'probe-reports', file: activities, search: 'return { summary, findings: findingsOf(result),', replace: 'return { summary, findings: findingsOf(result).slice(0, 0),', name: 'found in a run by hand' },
    { id: 'probe-suspends', file: activities, search: 'suspend: deps.suspendsIntruders && summary.gotThrough > 0', replace: 'suspend: deps.suspendsIntruders && summary.gotThrough < 0', name: 'found in a run by hand' },
  ),
  ...of('no user of a probe stays', probe, { id: 'probe-leaves-no-user', file: activities, search: 'await deps.isolationProbe.remove(await deps.directory.built(tenantId), email);', replace: 'await deps.directory.built(`${tenantId}${email.slice(0, 0)}`);', name: 'found in a run by hand' }),
  ...of('no user of a probe stays', 'test/workflows/maintenance.test.ts', { id: 'probe-is-waited-for', file: 'src/workflows/maintenance-activities.ts', search: ", cancellationType: 'WAIT_CANCELLATION_COMPLETED'", replace: '', name: 'takes its users back when it is cancelled' }),
];
