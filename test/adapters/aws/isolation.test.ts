import { createTenantAccess } from '../../../src/adapters/aws/tenant-access';
import { createEnvelope } from '../../../src/adapters/aws/envelope';
import { DecryptCommand } from '@aws-sdk/client-kms';
import { GetParameterCommand } from '@aws-sdk/client-ssm';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { tenantResources } from '../../../src/contracts/names';
import { AgentConfig, type ServedTenant } from '../../../src/contracts/tenant';
import { access, aws, cipher, configs, newTenantId, settings, standingPlatform, standingTenant } from './tenants';

let mine: ServedTenant;
let theirs: ServedTenant;

beforeAll(async () => {
  await standingPlatform();
  mine = await standingTenant();
  theirs = await standingTenant();
});

describe("a tenant's cipher", () => {
  const plain = Buffer.from('my favourite colour is blue');
  const context = { purpose: 'test', session: 'ses-1' };

  it('opens what it sealed, whatever the order of the context', async () => {
    const sealed = await cipher.seal(mine.tenantId, context, plain);
    expect(Buffer.from(sealed).includes('blue')).toBe(false);
    expect(await cipher.open(mine.tenantId, { session: 'ses-1', purpose: 'test' }, sealed)).toEqual(plain);
  });

  it.each([{ purpose: 'test', session: 'ses-2' }, { purpose: 'test' }, { ...context, more: 'x' }])('does not open it in the context %j', async (other) => {
    const sealed = await cipher.seal(mine.tenantId, context, plain);
    await expect(cipher.open(mine.tenantId, other, sealed)).rejects.toThrow();
  });

  it('does not open what is another tenant’s', async () => {
    const sealed = await cipher.seal(theirs.tenantId, context, plain);
    await expect(cipher.open(mine.tenantId, context, sealed)).rejects.toThrow();
    expect(await cipher.open(theirs.tenantId, context, sealed)).toEqual(plain);
  });

  it('notices every changed or missing byte', async () => {
    const sealed = await cipher.seal(mine.tenantId, context, Buffer.from('x'));
    for (let index = 0; index < sealed.length; index += 7) {
      const changed = Uint8Array.from(sealed, (byte, at) => (at === index ? byte ^ 1 : byte));
      await expect(cipher.open(mine.tenantId, context, changed)).rejects.toThrow();
    }
    for (const length of [0, 1, 3, 40, sealed.length - 1]) await expect(cipher.open(mine.tenantId, context, sealed.slice(0, length))).rejects.toThrow();
  });

  it('lets KMS itself refuse the data key under another tenant’s context', async () => {
    const sealed = Buffer.from(await cipher.seal(mine.tenantId, context, plain));
    const CiphertextBlob = sealed.subarray(3, 3 + sealed.readUInt16BE(1));
    const unwrap = (tenant: string) => aws.kms.send(new DecryptCommand({ CiphertextBlob, KeyId: mine.infrastructure.keyArn, EncryptionContext: { tenant } }));
    expect((await unwrap(mine.tenantId)).Plaintext).toHaveLength(32);
    await expect(unwrap(theirs.tenantId)).rejects.toThrow();
  });

  it('asks KMS once, however many seal at the same time', async () => {
    const envelope = createEnvelope({ kms: () => aws.kms, keyId: () => Promise.resolve(mine.infrastructure.keyArn), keyContext: { tenant: mine.tenantId } });
    const sealed = await Promise.all(Array.from({ length: 20 }, () => envelope.seal(context, plain)));
    const wrappedOf = (bytes: Uint8Array) => Buffer.from(bytes.slice(3, 3 + Buffer.from(bytes).readUInt16BE(1))).toString('hex');
    expect(new Set(sealed.map(wrappedOf)).size).toBe(1);
    expect(new Set(sealed.map((bytes) => Buffer.from(bytes).toString('hex'))).size).toBe(20);
  });
});

it('lets nobody in as a tenant that is not there', async () => {
  const nobody = createTenantAccess({ sts: aws.sts, settings }).clients(newTenantId(), 'backup');
  await expect(nobody.table.send(new ScanCommand({ TableName: mine.infrastructure.tableName }))).rejects.toThrow();
});

it('keeps a configuration unreadable for others, also as a ciphertext', async () => {
  await configs.put(theirs.tenantId, AgentConfig.parse({ systemPrompt: 'a secret recipe' }));
  expect((await configs.get(theirs.tenantId)).systemPrompt).toBe('a secret recipe');
  const { agentParameter: Name } = tenantResources(theirs.tenantId);
  await expect(access.clients(mine.tenantId, 'config-read').ssm.send(new GetParameterCommand({ Name }))).rejects.toMatchObject({ code: 'dependency/denied' });
});
