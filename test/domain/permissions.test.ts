import { groups } from '../../src/contracts/names';
import { permissions, permissionsOf, roles } from '../../src/domain/permissions';

it('lets members talk to the agent, and no more', () => {
  expect([...permissionsOf('tenant', [groups.members])].sort()).toEqual(['invoke:agent', 'read:erasure', 'read:memory', 'read:session', 'write:memory', 'write:schedule', 'write:session']);
});

it('adds up what several groups grant', () => {
  const both = permissionsOf('tenant', [groups.members, groups.administrators]);
  for (const permission of ['invoke:agent', 'write:config', 'read:any-session'] as const) expect(both.has(permission)).toBe(true);
});

it('keeps operators out of conversations', () => {
  expect([...permissionsOf('operator', [groups.operators])].every((permission) => /:(tenant|operation|history|usage|budget|config|maintenance|user|api-key|machine-client|operator|audit|erasure)$/.test(permission))).toBe(true);
});

/** A tenant's administrator names groups as they like. */
it("grants nothing for the operators' group in a tenant's pool", () => {
  expect(permissionsOf('tenant', [groups.operators]).size).toBe(0);
});

it.each(['unknown', 'constructor', '__proto__', ''])('grants nothing for the group "%s"', (group) => {
  expect(permissionsOf('tenant', [group]).size + permissionsOf('operator', [group]).size).toBe(0);
});

it('knows no role that nobody describes, and no permission that nobody has', () => {
  const all = Object.values(roles).flatMap((ofRealm) => Object.values(ofRealm));
  for (const role of all) expect(role.summary).not.toBe('');
  expect(permissions.filter((permission) => !all.some((role) => role.permissions.includes(permission)))).toEqual([]);
});

it('lets approvers approve, and auditors change nothing', () => {
  expect(permissionsOf('tenant', [groups.approvers]).has('approve:tool')).toBe(true);
  expect([...permissionsOf('tenant', [groups.auditors])].every((permission) => permission.startsWith('read:'))).toBe(true);
});
