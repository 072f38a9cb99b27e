import { NativeConnection, Worker } from '@temporalio/worker';
import { turnSteps } from './steps';

/** Two workers on one connection, as the platform's own: workflows on one queue, activities on another. */
async function main(): Promise<void> {
  const connection = await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
  const activities = turnSteps(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');
  const workers = await Promise.all([
    Worker.create({ connection, taskQueue: 'bare', workflowsPath: require.resolve('./bare-workflow'), maxCachedWorkflows: 2_000 }),
    Worker.create({ connection, taskQueue: 'bare-tools', activities, activityTaskPollerBehavior: { type: 'autoscaling', minimum: 1, initial: 1, maximum: 10 } }),
  ]);
  console.log('ready');
  await Promise.all(workers.map((worker) => worker.run()));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
