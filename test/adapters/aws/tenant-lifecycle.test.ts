import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { GetAgentRuntimeCommand, GetMemoryCommand } from '@aws-sdk/client-bedrock-agentcore-control';
import type { DescribeStacksCommandOutput } from '@aws-sdk/client-cloudformation';
import { DescribeKeyCommand } from '@aws-sdk/client-kms';
import { CreateBucketCommand, CreateMultipartUploadCommand, HeadBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { tenantResources } from '../../../src/contracts/names';
import { createTenantRuntimes } from '../../../src/adapters/aws/tenant-runtimes';
import { createTenantStacks } from '../../../src/adapters/aws/tenant-stacks';
import { access, aws, configs, data, memories, newOperationId, newSession, newTenantId, registry, remainsOf, runtimes, settings, stacks, standingPlatform, standingTenant, users, waiting } from './tenants';
import { clientDefaults, createPlatformClients } from '../../../src/adapters/aws/clients';
import { createMachineClients } from '../../../src/adapters/aws/machine-clients';
import { createSessionLog } from '../../../src/adapters/aws/session-log';
import { createTenantCipher } from '../../../src/adapters/aws/tenant-cipher';
import { createTenantDirectory } from '../../../src/adapters/aws/tenant-directory';
import { AgentConfig } from '../../../src/contracts/tenant';

beforeAll(standingPlatform);

describe('a stack', () => {
  it('stands under the names that contracts/names says', async () => {
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
    const broken = createTenantStacks({ ...aws, templatePath });
    await expect(broken.create(tenantId, newOperationId(tenantId), waiting)).rejects.toMatchObject({
      code: 'infrastructure/failed',
      message: expect.stringContaining('KeyAlias: ') as string,
    });
    await stacks.delete(tenantId, waiting);
    expect(await remainsOf(tenantId)).toEqual([]);
    await rm(folder, { recursive: true });
  });

  it('has the clients it had before once an update was rolled back, with nothing to update', async () => {
    const { tenantId, infrastructure } = await standingTenant();
    const cloudFormation = createPlatformClients(settings).cloudFormation;
    cloudFormation.middlewareStack.add((next, { commandName }) => async (args) => {
      const answer = await next(args);
      if (commandName === 'DescribeStacksCommand') for (const stack of (answer.output as DescribeStacksCommandOutput).Stacks ?? []) stack.StackStatus = 'UPDATE_ROLLBACK_COMPLETE';
      return answer;
    });
    const rolledBack = createTenantStacks({ ...aws, cloudFormation });
    expect(await rolledBack.setClients(tenantId, await stacks.clients(tenantId), waiting)).toEqual(infrastructure);
  });

  it('stops waiting when told to', async () => {
    const tenantId = newTenantId();
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(stacks.create(tenantId, newOperationId(tenantId), { ...waiting, signal })).rejects.toThrow('enough');
    await stacks.delete(tenantId, waiting);
  });

  it('is not created from a template that is not there', async () => {
    const broken = createTenantStacks({ ...aws, templatePath: '/nowhere.yaml' });
    const tenantId = newTenantId();
    await expect(broken.create(tenantId, newOperationId(tenantId), waiting)).rejects.toThrow('ENOENT');
  });
});

describe('a tenant that leaves', () => {
  it('leaves nothing but a key pending deletion', async () => {
    const { tenantId, infrastructure } = await standingTenant();
    await configs.put(tenantId, AgentConfig.parse({}));
    await users.create(infrastructure.userPoolId, { email: 'a@example.com', groups: ['administrators'] });
    const put = (Body: string) => access.clients(tenantId, 'restore').s3.send(new PutObjectCommand({ Bucket: infrastructure.bucketName, Key: 'same', Body }));
    await put('first version');
    await put('second version');
    await aws.s3.send(new CreateMultipartUploadCommand({ Bucket: infrastructure.bucketName, Key: 'never-finished' }));
    expect(await remainsOf(tenantId)).not.toEqual([]);

    for (let again = 0; again < 2; again++) {
      await runtimes.delete(tenantId, waiting);
      await memories.delete(tenantId, waiting);
      await configs.delete(tenantId);
      await data.emptyBucket(tenantId, waiting);
      await stacks.delete(tenantId, waiting);
      const [key] = await data.scheduleKeyDeletion(tenantId);
      expect(key?.keyArn).toBe(infrastructure.keyArn);
      expect(Date.parse(key?.deletionDate ?? '')).toBeGreaterThan(Date.now() + 6 * 86_400_000);
      expect(await remainsOf(tenantId)).toEqual([]);
    }
  });

  /** What this stack's emulator deletes anyway, Cognito does not. */
  it('loses the domain of its pool before the stack, when it has one', async () => {
    const { tenantId, infrastructure } = await standingTenant();
    await createMachineClients({ cognito: aws.cognito, settings }).create(infrastructure.userPoolId, { name: 'm' });
    await data.emptyBucket(tenantId, waiting);
    const calls: string[] = [];
    const noting = createPlatformClients(settings);
    noting.cognito.middlewareStack.add((next, { commandName }) => (args) => (calls.push(String(commandName)), next(args)), { step: 'initialize' });
    noting.cloudFormation.middlewareStack.add((next, { commandName }) => (args) => (calls.push(String(commandName)), next(args)), { step: 'initialize' });
    await createTenantStacks(noting).delete(tenantId, waiting);
    const [domain, stack] = ['DeleteUserPoolDomainCommand', 'DeleteStackCommand'].map((name) => calls.indexOf(name)) as [number, number];
    expect(domain).toBeGreaterThan(-1);
    expect(stack).toBeGreaterThan(domain);
  });

  it('had no key if it never stood', async () => {
    expect(await data.scheduleKeyDeletion(newTenantId())).toEqual([]);
  });
});

/** An onboarding that was undone must not spoil the next one of the same id, in a process that saw both. */
it('serves a tenant that was built anew under its old id', async () => {
  // Without the cache of the directory: an onboarding takes longer than an answer is kept there.
  const uncached = createTenantDirectory({ registry, cacheMs: 0 });
  const process = () => createSessionLog({ access, cipher: createTenantCipher({ access, directory: uncached }), directory: uncached });
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

describe("a tenant's AgentCore", () => {
  it('has a memory under its key that makes facts, preferences and summaries of each user alone', async () => {
    const { memoryId, infrastructure } = await standingTenant();
    const { memory } = await aws.agentCoreControl.send(new GetMemoryCommand({ memoryId }));
    expect(memory).toMatchObject({ encryptionKeyArn: infrastructure.keyArn, eventExpiryDuration: 90 });
    expect(memory?.strategies?.map(({ type, namespaceTemplates }) => [type, namespaceTemplates])).toEqual([
      ['SEMANTIC', ['/users/{actorId}/facts']],
      ['USER_PREFERENCE', ['/users/{actorId}/preferences']],
      ['SUMMARIZATION', ['/users/{actorId}/sessions/{sessionId}/summary']],
    ]);
  });

  it('has a runtime that knows its tenant and lets in nobody but its users', async () => {
    const { tenantId, runtime, infrastructure } = await standingTenant();
    const described = await aws.agentCoreControl.send(new GetAgentRuntimeCommand({ agentRuntimeId: runtime?.runtimeId }));
    expect(described).toMatchObject({
      agentRuntimeName: tenantResources(tenantId).runtime,
      environmentVariables: { TENANT_ID: tenantId },
      authorizerConfiguration: {
        customJWTAuthorizer: {
          discoveryUrl: `https://cognito-idp.${settings.region}.amazonaws.com/${infrastructure.userPoolId}/.well-known/openid-configuration`,
          allowedClients: [infrastructure.userPoolClientId],
        },
      },
    });
  });

  it('is made once, however often it is asked for', async () => {
    const { tenantId, runtime, infrastructure } = await standingTenant();
    const part = { tenantId, operationId: newOperationId(tenantId), infrastructure };
    expect(await runtimes.create(part, waiting)).toEqual(runtime);
    await runtimes.delete(tenantId, waiting);
    await expect(runtimes.delete(tenantId, waiting)).resolves.toBeUndefined();
    expect((await runtimes.create(part, waiting))?.runtimeId).not.toBe(runtime?.runtimeId);
  });

  it('has no runtime when that is switched off, and loses one that it had', async () => {
    const off = createTenantRuntimes({ agentCoreControl: aws.agentCoreControl, region: settings.region, settings: undefined });
    const { tenantId, infrastructure } = await standingTenant();
    await off.delete(tenantId, waiting);
    expect(await off.create({ tenantId, operationId: newOperationId(tenantId), infrastructure }, waiting)).toBeUndefined();
    expect((await remainsOf(tenantId)).map(({ type }) => type)).not.toContain('runtime');
  });
});

describe('a bucket name that is taken', () => {
  const another = new S3Client({ ...clientDefaults(settings, { accessKeyId: '111111111111', secretAccessKey: 'local-stack-only' }), forcePathStyle: true });

  it.each([
    ['by this account', aws.s3],
    ['by another account', another],
  ])('%s: says which, and what to do about it', async (_, s3) => {
    const tenantId = newTenantId();
    const { bucket } = tenantResources(tenantId);
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    const refused = stacks.create(tenantId, newOperationId(tenantId), waiting);
    await expect(refused).rejects.toMatchObject({ code: 'infrastructure/name-taken', message: expect.stringMatching(`${bucket}.*choose another tenant id`) as string });
    expect(await stacks.hasBucket(tenantId)).toBe(false);
    await stacks.delete(tenantId, waiting);
    await s3.send(new HeadBucketCommand({ Bucket: bucket }));
  });

  it('is told apart from the bucket of a stack that stands', async () => {
    const { tenantId } = await standingTenant();
    expect(await stacks.hasBucket(tenantId)).toBe(true);
    expect(await stacks.hasBucket(newTenantId())).toBe(false);
  });
});
