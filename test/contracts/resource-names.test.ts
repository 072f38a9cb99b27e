import fc from 'fast-check';
import { platformResources, tenantAlarms, tenantIdPattern, tenantOfResource, type TenantResource, tenantResources } from '../../src/contracts/names';

const tenantId = fc.stringMatching(tenantIdPattern);
const kinds = Object.keys(tenantResources('x')) as TenantResource[];

/** Two tenants that shared a name would share what bears it; and a leftover must lead to its tenant. */
it.each(kinds)('every tenant has a %s of its own, from whose name its id follows', (kind) => {
  fc.assert(fc.property(tenantId, (id) => tenantOfResource(kind, tenantResources(id)[kind]) === id), { numRuns: 1_000 });
});

it.each([
  ['table', 'tenant-registry'],
  ['table', 'tenant--data'],
  ['table', 'tenant-a-data'],
  ['table', 'tenant-Acme-data'],
  ['bucket', 'tenure-backups-000000000000'],
  ['userPool', 'tenure-operators-pool'],
  ['memory', 'tenant_acme_memory_2'],
] as const)('%s %s is no tenant\'s', (kind, name) => {
  expect(tenantOfResource(kind, name)).toBeUndefined();
});

/** What each service takes as a name, by its API reference. */
const rules: Readonly<Record<TenantResource, RegExp>> = {
  stack: /^[a-zA-Z][-a-zA-Z0-9]{0,127}$/,
  userPool: /^[\w\s+=,.@-]{1,128}$/,
  userPoolClient: /^[\w\s+=,.@-]{1,128}$/,
  keyAlias: /^(?!alias\/aws\/)alias\/[a-zA-Z0-9/_-]{1,250}$/,
  // Neither an address nor one of the prefixes and suffixes that S3 keeps for itself.
  bucket: /^(?!xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?!.*\.\.)[a-z0-9.-]{1,61}[a-z0-9]$/,
  table: /^[a-zA-Z0-9_.-]{3,255}$/,
  role: /^[\w+=,.@-]{1,64}$/,
  logGroup: /^[.\-_/#A-Za-z0-9]{1,512}$/,
  alarm: /^[^\s:]{1,255}$/,
  throttleAlarm: /^[^\s:]{1,255}$/,
  backlogAlarm: /^[^\s:]{1,255}$/,
  stuckAlarm: /^[^\s:]{1,255}$/,
  tableAlarm: /^[^\s:]{1,255}$/,
  memory: /^[a-zA-Z][a-zA-Z0-9_]{0,47}$/,
  runtime: /^[a-zA-Z][a-zA-Z0-9_]{0,47}$/,
  gateway: /^([0-9a-zA-Z]-?){1,48}$/,
  workloadIdentity: /^[A-Za-z0-9_.-]{3,255}$/,
  credentialProvider: /^[a-zA-Z0-9\-_]{1,128}$/,
  scalingPolicy: /^[\x20-\x7e]{1,256}$/,
  parameterPrefix: /^\/([a-zA-Z0-9_.-]+\/){1,15}$/,
  agentParameter: /^(?!\/(aws|ssm))\/[a-zA-Z0-9_.\-/]{1,1010}$/,
};

it.each(kinds)('every %s has a name that its service takes', (kind) => {
  const awkward = ['abc', 'a--', 'a--b---c', 'xn--abc', 'sthree-abc', `a${'-'.repeat(31)}`, `z${'9'.repeat(31)}`];
  for (const id of awkward) expect(tenantResources(id)[kind]).toMatch(rules[kind]);
  fc.assert(fc.property(tenantId, (id) => rules[kind].test(tenantResources(id)[kind])), { numRuns: 1_000 });
});

/** Of things that share one space of names: a tenant's table must not be another's, nor the platform's. */
const spaces: Readonly<Record<string, readonly TenantResource[]>> = {
  alarms: tenantAlarms,
  parameters: ['parameterPrefix', 'agentParameter'],
  memories: ['memory'],
  runtimes: ['runtime'],
};

it.each(Object.entries(spaces))('no two tenants share a name among %s', (_, space) => {
  const two = fc.tuple(tenantId, tenantId).filter(([one, other]) => one !== other);
  const namesOf = (id: string) => space.map((kind): string => tenantResources(id)[kind]);
  fc.assert(fc.property(two, ([one, other]) => namesOf(one).every((name) => !namesOf(other).includes(name))), { numRuns: 1_000 });
  // Ids that end in what another's names end in.
  for (const suffix of ['-errors', '-memory', '-throttles', '-table']) expect(namesOf(`acme${suffix}`).filter((name) => namesOf('acme').includes(name))).toEqual([]);
});

it.each([
  ['table', platformResources.registryTable],
  ['bucket', platformResources.backupBucket('123456789012')],
  ['userPool', platformResources.operatorPool],
  ['userPoolClient', platformResources.operatorPoolClient],
  ['keyAlias', platformResources.backupKeyAlias],
  ['agentParameter', platformResources.operatorsParameter],
] as const)('gives no tenant the %s %s, which is the platform\'s', (kind, name) => {
  expect(tenantOfResource(kind, name)).toBeUndefined();
});
