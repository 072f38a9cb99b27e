import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { GetRolePolicyCommand, ListRolePoliciesCommand } from '@aws-sdk/client-iam';
import { AssumeRoleCommand, type AssumeRoleCommandInput } from '@aws-sdk/client-sts';
import { createPlatformClients, type PlatformClients } from '../../../src/adapters/aws/clients';
import { sessionPolicy } from '../../../src/adapters/aws/session-policies';
import { createTenantAccess, renewing, type RoleCredentials } from '../../../src/adapters/aws/tenant-access';
import { codeOf, DomainError } from '../../../src/contracts/errors';
import { accessPurposes, accessSessionName, type AccessPurpose, tenantResources, type TenantResource } from '../../../src/contracts/names';
import type { ServedTenant } from '../../../src/contracts/tenant';
import { attempts, dataAttempts, isUnchecked, type Tries } from './attempts';
import { aws, settings, standingPlatform, standingTenant } from './tenants';

let mine: ServedTenant;
let theirs: ServedTenant;
/** With all that the role allows: more than the vendor ever gives to anybody. */
let wholeRole: Readonly<Record<'mine' | 'theirs', PlatformClients>>;

const refusalOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'done',
    (error: unknown) => codeOf(error) ?? error,
  );

const tagsOf = (TenantId: string, Purpose?: string) => Object.entries({ TenantId, ...(Purpose !== undefined && { Purpose }) }).map(([Key, Value]) => ({ Key, Value }));

async function assume(tenant: ServedTenant, input: Partial<AssumeRoleCommandInput>): Promise<PlatformClients> {
  const RoleArn = tenant.infrastructure.roleArn;
  const { Credentials } = await aws.sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: accessSessionName(tenant.tenantId, 'backup'), Tags: tagsOf(tenant.tenantId, 'backup'), ...input }));
  const credentials = { accessKeyId: Credentials?.AccessKeyId ?? '', secretAccessKey: Credentials?.SecretAccessKey ?? '', sessionToken: Credentials?.SessionToken ?? '' };
  return createPlatformClients(settings, credentials);
}

const vended = (tenant: ServedTenant, purpose: AccessPurpose) => ({ ...aws, ...createTenantAccess({ sts: aws.sts, settings }).clients(tenant.tenantId, purpose) });

beforeAll(async () => {
  await standingPlatform();
  mine = await standingTenant();
  theirs = await standingTenant();
  wholeRole = { mine: await assume(mine, {}), theirs: await assume(theirs, {}) };
});

describe('on what is of its own tenant', () => {
  it("a tenant's role can do all it is there for", async () => {
    for (const tenant of ['mine', 'theirs'] as const)
      for (const [name, { attempt }] of Object.entries(dataAttempts)) expect([name, await refusalOf(attempt(wholeRole[tenant], tenant === 'mine' ? mine : theirs))]).toEqual([name, 'done']);
  });

  it.each(accessPurposes)('credentials for %s can do that, and nothing else', async (purpose) => {
    const clients = vended(mine, purpose);
    const outcomes = Object.entries(dataAttempts).map(async ([name, { attempt, mayBy }]) => [name, await refusalOf(attempt(clients, mine)), mayBy.includes(purpose) || purpose === 'isolation-probe' ? 'done' : 'dependency/denied']);
    for (const [name, outcome, expected] of await Promise.all(outcomes)) expect([name, outcome]).toEqual([name, expected]);
  });
});

describe.each(Object.entries(attempts) as [TenantResource, Tries][])("on another tenant's %s", (kind, tries) => {
  if (!isUnchecked(tries)) {
    it.each(Object.entries(tries))("nobody's credentials but its own help: %s", async (_name, attempt) => {
      expect(await refusalOf(attempt(wholeRole.mine, theirs))).toBe('dependency/denied');
      const { accessKeyId, secretAccessKey, sessionToken } = await credentialsOf(vended(mine, 'backup'));
      expect(await refusalOf(attempt(createPlatformClients(settings, { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) }), theirs))).toBe('dependency/denied');
    });
    return;
  }

  it('the policy of the role names its own and nothing else: the emulator does not check it', async () => {
    const RoleName = tenantResources(mine.tenantId).role;
    const { PolicyNames = [] } = await aws.iam.send(new ListRolePoliciesCommand({ RoleName }));
    const documents = await Promise.all(PolicyNames.map(async (PolicyName) => (await aws.iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }))).PolicyDocument ?? ''));
    const statements = documents.flatMap((document) => (JSON.parse(decodeURIComponent(document)) as { Statement: { Action: string[]; Resource: string | string[] }[] }).Statement);
    const ofService = statements.filter(({ Action }) => Action.some((action) => action.startsWith(`${tries.service}:`) || action === '*'));
    if (kind === 'memory') expect(ofService).not.toEqual([]);
    for (const { Resource } of ofService.flatMap((statement) => [statement.Resource].flat().map((one) => ({ Resource: one })))) {
      expect(Resource).toContain(`:memory/${tenantResources(mine.tenantId).memory}-`);
      expect(Resource).not.toContain(tenantResources(theirs.tenantId)[kind]);
    }
  });
});

const credentialsOf = ({ table }: Pick<PlatformClients, 'table'>) => table.config.credentials();

describe('the role', () => {
  it.each([
    ['without saying whose data it is for', { Tags: [{ Key: 'Purpose', Value: 'backup' }] }],
    ['without a purpose', { Tags: [{ Key: 'TenantId', Value: 'mine' }] }],
    ['for a purpose there is not', { Tags: tagsOf('mine', 'curiosity') }],
    ['in the name of another tenant', { RoleSessionName: accessSessionName('another', 'backup') }],
    ['for another tenant', { Tags: tagsOf('another', 'backup') }],
  ] satisfies [string, Partial<AssumeRoleCommandInput>][])('cannot be assumed %s', async (_name, { Tags, ...input }: Partial<AssumeRoleCommandInput>) => {
    const tags = Tags && { Tags: Tags.map(({ Key, Value }) => ({ Key, Value: Value === 'mine' ? mine.tenantId : Value })) };
    expect(await refusalOf(assume(mine, { ...input, ...tags }))).toBe('dependency/denied');
  });

  it('can be assumed for the purposes that contracts/names has, and for no other', async () => {
    const template = await readFile(path.join(__dirname, '../../../cloudformation/tenant-infrastructure.yaml'), 'utf8');
    const [, listed = ''] = /'aws:RequestTag\/Purpose':\n((?:\s+- [a-z-]+\n)+)/.exec(template) ?? [];
    expect(listed.trim().split(/\s*- /).filter(Boolean).map((name) => name.trim())).toEqual([...accessPurposes]);
  });

  it.each(accessPurposes)('has a policy for %s that STS takes, whatever the tenant is called', (purpose) => {
    const tenantId = `t${'-'.repeat(30)}x`;
    expect(sessionPolicy(purpose, { partition: 'aws-us-gov', accountId: '123456789012', region: 'ap-southeast-2', tenantId }).length).toBeLessThanOrEqual(2_048);
    expect(accessSessionName(tenantId, purpose)).toMatch(/^[\w+=,.@-]{2,64}$/);
  });
});

describe('the vendor', () => {
  it('asks once for a tenant and purpose, however many ask it, and says for whom and what', async () => {
    const { sts } = createPlatformClients(settings);
    const asked: AssumeRoleCommandInput[] = [];
    sts.middlewareStack.add((next, { commandName }) => (args) => { if (commandName === 'AssumeRoleCommand') asked.push(args.input as AssumeRoleCommandInput); return next(args); }, { step: 'initialize', name: 'counting' });
    const vendor = createTenantAccess({ sts, settings });
    const read = async (tenant: ServedTenant, purpose: AccessPurpose) => dataAttempts['reads an item']?.attempt({ ...aws, ...vendor.clients(tenant.tenantId, purpose) }, tenant);
    await Promise.all(Array.from({ length: 20 }, () => read(mine, 'session-read')));
    await Promise.all([read(mine, 'session-step'), read(theirs, 'session-read')]);
    const seen = asked.map(({ RoleSessionName, Tags }) => [RoleSessionName, ...(Tags ?? []).map(({ Value }) => Value)]);
    const expected = ([[mine, 'session-read'], [mine, 'session-step'], [theirs, 'session-read']] as const).map(([{ tenantId }, purpose]) => [accessSessionName(tenantId, purpose), tenantId, purpose]);
    expect(seen.sort()).toEqual(expected.sort());
  });
});

describe('credentials', () => {
  const made = (expiresInMs: number): RoleCredentials => ({ accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c', expiration: new Date(Date.now() + expiresInMs) });
  afterEach(() => jest.useRealTimers());

  it('are renewed before they expire, and not sooner', async () => {
    jest.useFakeTimers({ advanceTimers: false });
    let fetched = 0;
    const credentials = renewing(() => Promise.resolve(made(3_600_000)).finally(() => (fetched += 1)));
    const first = await credentials();
    jest.advanceTimersByTime(54 * 60_000);
    expect([await credentials(), fetched]).toEqual([first, 1]);
    jest.advanceTimersByTime(2 * 60_000);
    const second = await credentials();
    expect(second.expiration.getTime()).toBeGreaterThan(first.expiration.getTime());
    expect(fetched).toBe(2);
  });

  it.each([-7_200_000, 7_200_000])('are neither kept longer nor fetched more often when the clock is set: by %i ms', async (byMs) => {
    jest.useFakeTimers({ advanceTimers: false });
    let fetched = 0;
    const credentials = renewing(() => Promise.resolve(made(3_600_000)).finally(() => (fetched += 1)));
    await credentials();
    jest.setSystemTime(Date.now() + byMs);
    await credentials();
    expect(fetched).toBe(1);
    jest.advanceTimersByTime(56 * 60_000);
    await credentials();
    await credentials();
    expect(fetched).toBe(2);
  });

  it('last until they expire while STS does not answer, and no longer', async () => {
    jest.useFakeTimers({ advanceTimers: false });
    let isAway = false;
    const credentials = renewing(() => (isAway ? Promise.reject(new DomainError('dependency/unavailable', 'away')) : Promise.resolve(made(3_600_000))));
    const first = await credentials();
    isAway = true;
    jest.advanceTimersByTime(58 * 60_000);
    expect(await credentials()).toBe(first);
    jest.advanceTimersByTime(3 * 60_000);
    await expect(credentials()).rejects.toMatchObject({ code: 'dependency/unavailable' });
    isAway = false;
    expect((await credentials()).expiration.getTime()).toBeGreaterThan(Date.now());
  });
});
