import { groups } from '../../src/contracts/names';
import { permissionsOf } from '../../src/domain/permissions';

it('lets members talk to the agent, and no more', () => {
  expect([...permissionsOf('tenant', [groups.members])].sort()).toEqual(['invoke:agent', 'read:session', 'write:session']);
});

it('adds up what several groups grant', () => {
  const both = permissionsOf('tenant', [groups.members, groups.administrators]);
  for (const permission of ['invoke:agent', 'write:config', 'read:any-session'] as const) expect(both.has(permission)).toBe(true);
});

it('keeps operators out of conversations', () => {
  expect([...permissionsOf('operator', [groups.operators])].every((permission) => /:(tenant|operation|history|usage|config|maintenance)$/.test(permission))).toBe(true);
});

/** A tenant's administrator names groups as they like. */
it("grants nothing for the operators' group in a tenant's pool", () => {
  expect(permissionsOf('tenant', [groups.operators]).size).toBe(0);
});

it.each(['unknown', 'constructor', '__proto__', ''])('grants nothing for the group "%s"', (group) => {
  expect(permissionsOf('tenant', [group]).size + permissionsOf('operator', [group]).size).toBe(0);
});
