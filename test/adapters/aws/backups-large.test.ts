import v8 from 'node:v8';
import vm from 'node:vm';
import { randomBytes } from 'node:crypto';
import { ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import { callerAccount } from '../../../src/adapters/aws/tenant-access';
import type { EventBody } from '../../../src/contracts/events';
import { objectKeys, platformResources } from '../../../src/contracts/names';
import type { Waiting } from '../../../src/ports/provisioning';
import { aws, backups, log, newSession, standingPlatform, standingTenant, waiting } from './tenants';

/** `TENURE_BACKUP_MB=256 npx jest test/adapters/aws/backups-large.test.ts` measures more than the suite has time for. */
const megabytes = Number(process.env['TENURE_BACKUP_MB'] ?? 20);
const batchBytes = 200_000;

jest.setTimeout(600_000);
beforeAll(async () => {
  await standingPlatform();
});

async function largeTenant(): Promise<string> {
  const { tenantId } = await standingTenant();
  const session = newSession(tenantId);
  for (let seq = 0; seq < (megabytes * 1_000_000) / batchBytes; seq++) {
    const said: EventBody = { type: 'message.completed', turnId: `turn-${seq}`, step: 1, text: randomBytes(batchBytes / 2).toString('hex'), stopReason: 'end_turn' };
    await log.append(session, { after: seq, key: `turn-${seq}/1/completed`, events: [said] });
  }
  return tenantId;
}

/** The most this process held while something ran, and how much more that is than before. */
async function growthOf<T>(run: () => Promise<T>): Promise<{ result: T; grownMb: number }> {
  const heldMb = () => (process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers) / 1_000_000;
  // What is garbage does not count.
  v8.setFlagsFromString('--expose-gc');
  const gc = vm.runInNewContext('gc') as () => void;
  gc();
  const before = heldMb();
  let most = before;
  const watching = setInterval(() => {
    gc();
    most = Math.max(most, heldMb());
  }, 300);
  const result = await run().finally(() => clearInterval(watching));
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
  if (process.env['TENURE_BACKUP_MB'] !== undefined) process.stderr.write(`${megabytes} MB of texts: ${manifest.parts.length} parts, ${stored.toFixed(0)} MB stored; memory grew by ${grownMb.toFixed(0)} MB\n`);
  expect(grownMb).toBeLessThan(40);
  await expect(backups.verify(tenantId, 'bak-1', { operationId: 'op', againstTenant: true }, waiting)).resolves.toEqual(manifest);

  const Bucket = platformResources.backupBucket((await callerAccount(aws.sts)).accountId);
  const { Versions } = await aws.s3.send(new ListObjectVersionsCommand({ Bucket, Prefix: objectKeys.backup(tenantId, 'bak-1', 'table-') }));
  // The second part was told of before it was noted; the first one was noted.
  expect(Versions?.filter(({ Key }) => Key?.includes('table-000001'))).toHaveLength(1);
  expect(new Set(Versions?.map(({ Key }) => Key)).size).toBe(manifest.parts.filter(({ content }) => content === 'table').length);
});
