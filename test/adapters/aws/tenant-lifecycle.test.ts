import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { DescribeKeyCommand } from '@aws-sdk/client-kms';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { tenantResources } from '../../../src/contracts/names';
import { createTenantStacks } from '../../../src/adapters/aws/tenant-stacks';
import { access, aws, configs, data, memories, newOperationId, newSession, newTenantId, registry, remainsOf, stacks, standingPlatform, standingTenant, users, waiting } from './tenants';
import { createSessionLog } from '../../../src/adapters/aws/session-log';
import { createTenantCipher } from '../../../src/adapters/aws/tenant-cipher';
import { createTenantDirectory } from '../../../src/adapters/aws/tenant-directory';
import { AgentConfig } from '../../../src/contracts/tenant';

beforeAll(standingPlatform);

describe('a stack', () => {
  it('stands under the names that names.ts says', async () => {
    const { tenantId, infrastructure } = await standingTenant();
    const names = tenantResources(tenantId);
    expect(infrastructure).toMatchObject({ tableName: names.table, bucketName: names.bucket });
    expect(infrastructure.roleArn).toMatch(new RegExp(`:role/${names.role}$`));
    const { KeyMetadata } = await aws.kms.send(new DescribeKeyCommand({ KeyId: names.keyAlias }));
    expect(KeyMetadata?.Arn).toBe(infrastructure.keyArn);
  });

  it('is created once by one operation, however often that asks', async () => {
    const tenantId = newTenantId();
    const operationId = newOperationId(tenantId);
    const [first, second] = await Promise.all([stacks.create(tenantId, operationId, waiting), stacks.create(tenantId, operationId, waiting)]);
    expect(await stacks.create(tenantId, operationId, waiting)).toEqual(first);
    expect(second).toEqual(first);
  });

  it('is not taken over by another operation', async () => {
    const { tenantId } = await standingTenant();
    await expect(stacks.create(tenantId, newOperationId(tenantId), waiting)).rejects.toMatchObject({ code: 'infrastructure/failed' });
  });

  it('says which resource kept it from standing, and can be deleted after', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'tenure-template-'));
    const templatePath = path.join(folder, 'broken.yaml');
    const template = await readFile('cloudformation/tenant-infrastructure.yaml', 'utf8');
    // A name that AWS keeps for itself.
    await writeFile(templatePath, template.replace('alias/tenant-', 'alias/aws/tenant-'));
    const tenantId = newTenantId();
    const broken = createTenantStacks({ cloudFormation: aws.cloudFormation, templatePath });
    await expect(broken.create(tenantId, newOperationId(tenantId), waiting)).rejects.toMatchObject({
      code: 'infrastructure/failed',
      message: expect.stringContaining('KeyAlias: ') as string,
    });
    await stacks.delete(tenantId, waiting);
    expect(await remainsOf(tenantId)).toEqual([]);
    await rm(folder, { recursive: true });
  });

  it('stops waiting when told to', async () => {
    const tenantId = newTenantId();
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(stacks.create(tenantId, newOperationId(tenantId), { ...waiting, signal })).rejects.toThrow('enough');
    await stacks.delete(tenantId, waiting);
  });

  it('is not created from a template that is not there', async () => {
    const broken = createTenantStacks({ cloudFormation: aws.cloudFormation, templatePath: '/nowhere.yaml' });
    const tenantId = newTenantId();
    await expect(broken.create(tenantId, newOperationId(tenantId), waiting)).rejects.toThrow('ENOENT');
  });
});

describe('a tenant that leaves', () => {
  it('leaves nothing but a key pending deletion', async () => {
    const { tenantId, infrastructure } = await standingTenant();
    await configs.put(tenantId, AgentConfig.parse({}));
    await users.create(infrastructure.userPoolId, { email: 'a@example.com', groups: ['administrators'] });
    const put = (Body: string) => access.clients(tenantId).s3.send(new PutObjectCommand({ Bucket: infrastructure.bucketName, Key: 'same', Body }));
    await put('first version');
    await put('second version');
    expect(await remainsOf(tenantId)).not.toEqual([]);

    for (let again = 0; again < 2; again++) {
      await memories.delete(tenantId, waiting);
      await configs.delete(tenantId);
      await data.emptyBucket(tenantId, waiting);
      await stacks.delete(tenantId, waiting);
      const key = await data.scheduleKeyDeletion(tenantId);
      expect(key?.keyArn).toBe(infrastructure.keyArn);
      expect(Date.parse(key?.deletionDate ?? '')).toBeGreaterThan(Date.now() + 6 * 86_400_000);
      expect(await remainsOf(tenantId)).toEqual([]);
    }
  });

  it('had no key if it never stood', async () => {
    expect(await data.scheduleKeyDeletion(newTenantId())).toBeUndefined();
  });
});

/** An onboarding that was undone must not spoil the next one of the same id, in a process that saw both. */
it('serves a tenant that was built anew under its old id', async () => {
  // Without the cache of the directory: an onboarding takes longer than an answer is kept there.
  const uncached = createTenantDirectory({ registry, cacheMs: 0 });
  const process = () => createSessionLog({ access, cipher: createTenantCipher({ access, directory: uncached }) });
  const witness = process();
  const { tenantId } = await standingTenant();
  const session = newSession(tenantId);
  await witness.append(session, { after: 0, key: 'a', events: [{ type: 'session.started' }] });

  await data.emptyBucket(tenantId, waiting);
  await stacks.delete(tenantId, waiting);
  await registry.update(tenantId, { infrastructure: await stacks.create(tenantId, newOperationId(tenantId), waiting) });

  const { events } = await witness.append(session, { after: 0, key: 'a', events: [{ type: 'session.started' }] });
  expect(await process().read(session, { after: 0 })).toEqual(events);
});

describe('a memory', () => {
  it('is one per tenant, whoever asks again', async () => {
    const { tenantId, memoryId, infrastructure } = await standingTenant();
    expect(await memories.create({ tenantId, operationId: newOperationId(tenantId), ...infrastructure }, waiting)).toBe(memoryId);
    await memories.delete(tenantId, waiting);
    await expect(memories.delete(tenantId, waiting)).resolves.toBeUndefined();
  });
});
