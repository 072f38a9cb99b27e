import { GetObjectCommand, ListObjectVersionsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { Lane } from '../../campaign/lane';
import { createPlatformClients, type PlatformClients } from '../../src/adapters/aws/clients';
import { callerAccount } from '../../src/adapters/aws/tenant-access';
import { backupIds, objectKeys, platformResources, tenantResources } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import type { User } from '../../src/local/demo/user';

const tenantId = 'acme';
let lane: Lane;
let aws: PlatformClients;
let Bucket: string;
let user: User;
let sessionId: string;
let backupId: string;

const post = (path: string, body: object = {}) => lane.call<Operation>('POST', `tenants/${tenantId}/${path}`, { body });
const completed = async (begun: Promise<Operation>): Promise<Operation> => {
  const operation = await lane.awaitEnd((await begun).operationId);
  expect(operation).toMatchObject({ state: 'completed' });
  return operation;
};
const stepOf = ({ steps }: Operation, name: string) => steps.find((step) => step.name === name);

/** A tenant that has lost a user, and gained a turn, since its backup; and that rests. */
beforeAll(async () => {
  lane = await Lane.start('restoring');
  aws = createPlatformClients({ region: lane.settings.aws.region, endpoint: lane.settings.aws.endpoint });
  Bucket = platformResources.backupBucket((await callerAccount(aws.sts)).accountId);
  await completed(lane.beginOnboarding(tenantId, 'acme'));
  user = await lane.user(tenantId);
  sessionId = await user.open();
  await user.ask(sessionId, 'Store my preference: color=blue');
  const bob = { email: 'bob@acme.example', groups: ['members'] };
  await lane.adapters.users.create(await pool(), bob);
  await lane.keepObject(tenantId);
  backupId = (await completed(post('backups'))).backupId ?? '';
  await lane.adapters.users.delete(await pool(), bob.email);
  await user.ask(sessionId, 'What is 6*7?');
  await completed(post('suspend', { turns: 'finish' }));
});
afterAll(() => lane.stop());
afterEach(() => lane.rules.clear());

const pool = async (): Promise<string> => (await lane.adapters.registry.get(tenantId))?.infrastructure?.userPoolId ?? '';

/** What the table comes before: once it is read, the tenant has what the backup has, in part. @returns makes it whole again. */
async function damageObjectsOf(backup: string): Promise<() => Promise<unknown>> {
  const Key = objectKeys.backup(tenantId, backup, 'objects-000001.jsonl.gz');
  const { Body } = await aws.s3.send(new GetObjectCommand({ Bucket, Key }));
  const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
  await aws.s3.send(new PutObjectCommand({ Bucket, Key, Body: Uint8Array.from(bytes, (byte, index) => (index === bytes.length - 20 ? byte ^ 1 : byte)) }));
  return () => aws.s3.send(new PutObjectCommand({ Bucket, Key, Body: bytes }));
}

/** Calls with the number of each request that writes items into the tenant's table, before it is passed on. */
function onWrites(act: (number: number) => Promise<void> | void): void {
  let number = 0;
  const match = { service: 'dynamodb', action: 'BatchWriteItem', includes: [tenantResources(tenantId).table, 'PutRequest'] };
  lane.rules.watch(match, () => act(++number));
}

async function whatThereIs() {
  const emails: string[] = [];
  for await (const { email } of lane.adapters.users.all(await pool())) emails.push(email);
  const { Body } = await aws.s3.send(new GetObjectCommand({ Bucket: tenantResources(tenantId).bucket, Key: 'files/kept' }));
  const record = await lane.adapters.registry.get(tenantId);
  return {
    log: await lane.adapters.log.read({ tenantId, sessionId }, { after: 0 }),
    emails: emails.sort(),
    kept: await Body?.transformToString(),
    status: record?.status,
    claimedBy: record?.claimedBy,
  };
}

/** Of restores that did not go on to their end, all versions. */
async function notes(): Promise<string[]> {
  const { Versions = [], DeleteMarkers = [] } = await aws.s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: objectKeys.backupsOf(tenantId) }));
  return [...Versions, ...DeleteMarkers].flatMap(({ Key = '' }) => (Key.includes('/restore-') ? [Key] : []));
}

it('a restore in place that fails when the table is replaced already leaves the tenant as it was, although the worker dies on both ways', async () => {
  const before = await whatThereIs();
  expect(before).toMatchObject({ status: 'suspended', claimedBy: undefined, kept: 'kept' });
  const mend = await damageObjectsOf(backupId);
  const writes: number[] = [];
  onWrites((number) => {
    writes.push(number);
    // The first of the restore, and the first that takes it back.
    if (number === 1 || number === 3) lane.killWorker();
  });
  const operation = await lane.awaitEnd((await post('restore', { backupId })).operationId);
  expect(operation).toMatchObject({ state: 'undone', error: { code: 'backup/incomplete' } });
  expect(stepOf(operation, 'restore_data')).toMatchObject({ state: 'undone' });
  expect(writes.length).toBeGreaterThanOrEqual(4);
  expect(await whatThereIs()).toEqual(before);
  expect(await notes()).toEqual([]);
  await mend();
});

it('says what is wrong when what there was cannot be brought back, and brings it back once that is mended', async () => {
  const before = await whatThereIs();
  const mend = await damageObjectsOf(backupId);
  const { operationId } = await post('restore', { backupId });
  const own = backupIds.ofOperation(operationId);
  let mendOwn: () => Promise<unknown> = () => Promise.resolve();
  onWrites(async (number) => {
    if (number === 1) mendOwn = await damageObjectsOf(own);
  });
  const failing = await lane.awaitOperation(operationId, (operation) => stepOf(operation, 'restore_data')?.state === 'undoing' && stepOf(operation, 'restore_data')?.error !== undefined);
  expect(failing).toMatchObject({ state: 'undoing', backupId: own });
  expect(stepOf(failing, 'restore_data')?.error).toContain('objects-000001.jsonl.gz');
  // Nobody works on it meanwhile.
  await expect(post('resume')).rejects.toMatchObject({ code: 'tenant/busy' });
  await Promise.all([mendOwn(), mend()]);
  await lane.steer(operationId, 'retry');
  expect(await lane.awaitEnd(operationId)).toMatchObject({ state: 'undone' });
  expect(await whatThereIs()).toEqual(before);
  expect(await notes()).toEqual([]);
});

it('goes on where it was once it is let work again', async () => {
  await completed(post('resume'));
  expect((await user.ask(sessionId, 'What is my color?')).answer).toContain('color=blue');
});
