import type { ApiKey } from '../../src/contracts/access';
import { groups } from '../../src/contracts/names';
import { delegable, keyPermissions, keyRefusalOf, permissionsNow, refusalOf } from '../../src/domain/admission';
import { permissionsOf } from '../../src/domain/permissions';

const at = (seconds: number) => new Date(seconds * 1_000).toISOString();
const signedIn = (seconds: number) => ({ signedInAtMs: seconds * 1_000 });

describe('a sign-out', () => {
  it('ends what was signed in before, and nothing after', () => {
    for (const marks of [{ everybody: {}, user: { notBefore: at(100.4) } }, { everybody: { notBefore: at(100.4) }, user: {} }]) {
      expect(refusalOf(marks, signedIn(99))).toBe('it was signed out');
      // Tokens count seconds: nobody knows on which side of the mark it was minted.
      expect(refusalOf(marks, signedIn(100))).toBe('it was signed out');
      expect(refusalOf(marks, signedIn(101))).toBeUndefined();
    }
  });

  it('is nothing to those who were never signed out', () => expect(refusalOf({ everybody: {}, user: {} }, signedIn(0))).toBeUndefined());
});

it('keeps who is disabled out, whenever they signed in, until they are enabled', () => {
  expect(refusalOf({ everybody: {}, user: { disabled: true } }, signedIn(1e9))).toBe('this user is disabled');
  expect(refusalOf({ everybody: {}, user: { disabled: false } }, signedIn(1))).toBeUndefined();
});

describe('a change of role', () => {
  const changed = { groups: [groups.members], groupsSince: at(100) };
  const minted = (seconds: number) => ({ ...signedIn(1), issuedAtMs: seconds * 1_000, groups: [groups.administrators] });

  it('holds for tokens minted before, in both directions', () => {
    expect(permissionsNow('tenant', minted(99), changed)).toEqual(permissionsOf('tenant', [groups.members]));
    expect(permissionsNow('tenant', { ...minted(99), groups: [] }, { groups: [groups.administrators], groupsSince: at(100) })).toEqual(permissionsOf('tenant', [groups.administrators]));
  });

  it('leaves tokens minted since what they say', () => expect(permissionsNow('tenant', minted(100), changed)).toEqual(permissionsOf('tenant', [groups.administrators])));
});

describe('an API key', () => {
  const key: ApiKey = { keyId: '0'.repeat(16), name: 'k', permissions: ['read:session', 'read:usage', 'write:tenant'], createdBy: 'ada', createdAt: at(100), expiresAt: at(200) };
  const nobody = { everybody: {}, user: {} };

  it('is good from its making to its end', () => {
    expect(keyRefusalOf(key, nobody, 199_999)).toBeUndefined();
    expect(keyRefusalOf(key, nobody, 200_000)).toBe('it has expired');
    expect(keyRefusalOf({ ...key, revokedAt: at(150) }, nobody, 151_000)).toBe('it was revoked');
  });

  it('dies with a sign-out, or with its creator', () => {
    for (const marks of [{ user: { notBefore: at(150) }, everybody: {} }, { user: {}, everybody: { notBefore: at(150) } }, { user: { disabled: true }, everybody: {} }])
      expect(keyRefusalOf(key, marks, 160_000)).toMatch(/who made it/);
    expect(keyRefusalOf(key, { user: { notBefore: at(99) }, everybody: {} }, 160_000)).toBeUndefined();
  });

  it('may do what it was given, never what nobody can give, and not more than its creator by now', () => {
    expect([...keyPermissions(key, {})]).toEqual(['read:session', 'read:usage']);
    expect([...keyPermissions(key, { groups: [groups.members] })]).toEqual(['read:session']);
    expect([...keyPermissions(key, { groups: [] })]).toEqual([]);
  });

  it('lets nobody in: what makes keys and users cannot be given', () => expect(delegable.filter((permission) => /:(user|api-key|operator|tenant)$/.test(permission))).toEqual([]));
});
