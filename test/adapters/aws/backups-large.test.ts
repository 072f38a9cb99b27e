import { randomBytes } from 'node:crypto';
import { ListObjectVersionsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { callerAccount } from '../../../src/adapters/aws/tenant-access';
import type { EventBody } from '../../../src/contracts/events';
import { objectKeys, platformResources } from '../../../src/contracts/names';
import type { Waiting } from '../../../src/ports/provisioning';
import { AgentConfig } from '../../../src/contracts/tenant';
import { collectGarbage } from '../../support/collect-garbage';
import { aws, backups, configs, log, newSession, restores, standingPlatform, standingTenant, waiting } from './tenants';

/** `TENURE_BACKUP_MB=256 npx jest test/adapters/aws/backups-large.test.ts` measures more than the suite has time for. */
const megabytesAsked = process.env['TENURE_BACKUP_MB'];
const megabytes = Number(megabytesAsked ?? 20);
const batchBytes = 200_000;
const objectBytes = 10_000_000;
/** A part or two, and what is on its way to AWS, whatever the size of the tenant. */
const mostGrownMb = 60;

jest.setTimeout(600_000);
beforeAll(async () => {
  await standingPlatform();
});

async function largeTenant(): Promise<string> {
  const { tenantId, infrastructure } = await standingTenant();
  await configs.put(tenantId, AgentConfig.parse({}));
  for (let number = 0; number < (megabytes * 1_000_000) / objectBytes; number++)
    await aws.s3.send(new PutObjectCommand({ Bucket: infrastructure.bucketName, Key: `exports/${number}.bin`, Body: randomBytes(objectBytes) }));
  const session = newSession(tenantId);
  for (let seq = 0; seq < (megabytes * 1_000_000) / batchBytes; seq++) {
    const said: EventBody = { type: 'message.completed', turnId: `turn-${seq}`, step: 1, text: randomBytes(batchBytes / 2).toString('hex'), stopReason: 'end_turn' };
    await log.append(session, { after: seq, key: `turn-${seq}/1/completed`, events: [said] });
  }
  return tenantId;
}

const tell = (line: string) => megabytesAsked !== undefined && process.stderr.write(`${line}\n`);

/** The most this process held while something ran, and how much more that is than before. */
async function growthOf<T>(run: () => Promise<T>): Promise<{ result: T; grownMb: number }> {
  const heldMb = () => (process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers) / 1_000_000;
  // What is garbage does not count.
  collectGarbage();
  const before = heldMb();
  let most = before;
  let timer: NodeJS.Timeout;
  // Collecting takes long in a process that holds much of its own: the work is to have most of the time.
  const look = (waitMs: number) =>
    void (timer = setTimeout(() => {
      const startedAtMs = performance.now();
      collectGarbage();
      most = Math.max(most, heldMb());
      look(Math.max(300, 5 * (performance.now() - startedAtMs)));
    }, waitMs));
  look(300);
  const result = await run().finally(() => clearTimeout(timer));
  return { result, grownMb: most - before };
}

/** Stops at the first word of a finished part, as a kill would. */
function killedAfter(part: string): Waiting {
  const stopping = new AbortController();
  return {
    signal: stopping.signal,
    beat: (detail) => {
      if (detail === `${part} written`) stopping.abort(new Error('killed'));
    },
  };
}

it('goes on behind the last finished part, and holds a part or two at a time', async () => {
  const tenantId = await largeTenant();
  await expect(backups.take(tenantId, 'bak-1', 'on-demand', killedAfter('table-000002.jsonl.gz'))).rejects.toThrow('killed');
  const { result: manifest, grownMb } = await growthOf(() => backups.take(tenantId, 'bak-1', 'on-demand', waiting));
  const stored = manifest.parts.reduce((sum, { storedBytes }) => sum + storedBytes, 0) / 1_000_000;
  tell(`${megabytes} MB of texts and ${megabytes} MB of objects: ${manifest.parts.length} parts, ${stored.toFixed(0)} MB stored`);
  tell(`take: memory grew by ${grownMb.toFixed(0)} MB`);
  expect(grownMb).toBeLessThan(mostGrownMb);

  const verified = await growthOf(() => backups.verify(tenantId, 'bak-1', { operationId: 'op', againstTenant: true }, waiting));
  tell(`verify: memory grew by ${verified.grownMb.toFixed(0)} MB`);
  expect(verified.result).toEqual(manifest);
  expect(verified.grownMb).toBeLessThan(mostGrownMb);

  const other = await standingTenant();
  const source = { sourceTenantId: tenantId, backupId: 'bak-1' };
  const restored = await growthOf(async () => {
    await restores.data(other.tenantId, 'op-1', source, waiting);
    return restores.compare(other.tenantId, source, waiting);
  });
  tell(`restore and compare: memory grew by ${restored.grownMb.toFixed(0)} MB; peak RSS of the process ${(process.resourceUsage().maxRSS / 1_000).toFixed(0)} MB`);
  expect(restored.grownMb).toBeLessThan(mostGrownMb);

  const Bucket = platformResources.backupBucket((await callerAccount(aws.sts)).accountId);
  const { Versions } = await aws.s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: objectKeys.backup(tenantId, 'bak-1', 'table-') }));
  // The second part was told of before it was noted; the first one was noted.
  expect(Versions?.filter(({ Key }) => Key?.includes('table-000001'))).toHaveLength(1);
  expect(new Set(Versions?.map(({ Key }) => Key)).size).toBe(manifest.parts.filter(({ content }) => content === 'table').length);
});
