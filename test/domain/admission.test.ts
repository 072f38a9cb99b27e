import type { ApiKey, MachineClient } from '../../src/contracts/access';
import { groups, isProgram, machineClientUser } from '../../src/contracts/names';
import { delegable, keyPermissions, keyRefusalOf, machineClientOf, machinePermissions, machineRefusalOf, permissionsNow, refusalOf, stayingCredentials } from '../../src/domain/admission';
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

  it('lets nobody in: what makes keys and users cannot be given', () => expect(delegable.filter((permission) => /:(user|api-key|machine-client|operator|tenant)$/.test(permission))).toEqual([]));
});

describe('a machine client', () => {
  const client: MachineClient = {
    ...{ clientId: '0'.repeat(16), name: 'm', permissions: ['read:session', 'read:usage', 'write:tenant'], createdBy: 'ada', createdAt: at(100) },
    credentials: [
      { oauthClientId: 'new', since: at(150) },
      { oauthClientId: 'old', since: at(100), until: at(200) },
    ],
  };

  it('is found by its credentials, and by no other', () => {
    expect(machineClientOf([{ ...client, credentials: [{ oauthClientId: 'another', since: at(1) }] }, client], 'old')).toBe(client);
    expect(machineClientOf([client], 'nobodys')).toBeUndefined();
  });

  it('keeps what is good through another rotation, no longer than was said, and nothing without an overlap', () => {
    const [current, old] = client.credentials;
    expect(stayingCredentials(client, 20, 160_000)).toEqual([
      { ...current, until: at(180) },
      { ...old, until: at(180) },
    ]);
    expect(stayingCredentials(client, 600, 160_000)).toEqual([{ ...current, until: at(760) }, old]);
    expect(stayingCredentials(client, 600, 200_000)).toEqual([{ ...current, until: at(800) }]);
    expect(stayingCredentials(client, 0, 160_000)).toEqual([]);
  });

  it('is good until it is revoked, and its old secret until its end', () => {
    expect(machineRefusalOf(client, 'new', {}, 1e9)).toBeUndefined();
    expect(machineRefusalOf(client, 'old', {}, 199_999)).toBeUndefined();
    expect(machineRefusalOf(client, 'old', {}, 200_000)).toMatch(/replaced/);
    expect(machineRefusalOf(client, 'nobodys', {}, 0)).toMatch(/replaced/);
    expect(machineRefusalOf({ ...client, revokedAt: at(160) }, 'new', {}, 161_000)).toMatch(/revoked/);
  });

  it('is out with everybody of the tenant, until it has another secret', () => {
    expect(machineRefusalOf(client, 'old', { notBefore: at(120) }, 160_000)).toMatch(/signed out/);
    expect(machineRefusalOf(client, 'new', { notBefore: at(120) }, 160_000)).toBeUndefined();
  });

  it('may do what it was given and its token has a scope for, and never what nobody can give', () => {
    const may = (scopes: string[]) => [...machinePermissions(client, scopes)];
    expect(may(['tenure/read:session', 'tenure/read:usage', 'tenure/write:tenant', 'tenure/write:session'])).toEqual(['read:session', 'read:usage']);
    expect(may(['tenure/read:usage'])).toEqual(['read:usage']);
    expect(may(['read:session', 'other/read:session', ''])).toEqual([]);
  });

  it('is no person', () => expect([machineClientUser('x'), '11111111-1111-4111-8111-111111111111'].map(isProgram)).toEqual([true, false]));
});
