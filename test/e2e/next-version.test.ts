import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { type RunningPlatform, runPlatform } from '../../campaign/running-platform';
import { until } from '../../campaign/until';
import type { Diagnostics } from '../../src/contracts/diagnostics';
import { taskQueues, workflowIds } from '../../src/contracts/names';
import type { User } from '../../src/local/demo/user';
import { bundleOf } from '../support/bundle';

const deploymentName = 'tenure';
const [namespace, identity] = ['default', 'operator'];

let platform: RunningPlatform;
let temporal: Client;
let user: User;

/** As `temporal worker deployment set-current-version` does it, once this version's workers are there. */
const makeCurrent = (buildId: string) =>
  until(`version ${buildId} is current`, () =>
    temporal.workflowService.setWorkerDeploymentCurrentVersion({ namespace, identity, deploymentName, buildId }).then(
      () => true,
      () => false,
    ),
  );

beforeAll(async () => {
  platform = await runPlatform();
  temporal = new Client({ connection: await Connection.connect({ address: platform.settings.temporalAddress }) });
  expect((await platform.onboard('acme')).state).toBe('completed');
  user = await platform.user('acme');
});
afterAll(async () => {
  await temporal.connection.close();
  await platform.stop();
});

/** Which versions of the worker a session has been in, in order, and what came of it. */
async function lookAt(sessionId: string) {
  const { events } = await temporal.workflow.getHandle(workflowIds.session('acme', sessionId)).fetchHistory();
  const versions = (events ?? []).flatMap(({ workflowTaskCompletedEventAttributes: task }) => (task ? [task.deploymentVersion?.buildId ?? 'none'] : []));
  return {
    versions: [...new Set(versions)],
    failed: (events ?? []).some(({ workflowTaskFailedEventAttributes: failure }) => failure),
    isOfNext: (events ?? []).some(({ markerRecordedEventAttributes: marker }) => Buffer.from(marker?.details?.['patch-data']?.payloads?.[0]?.data ?? []).includes('of-the-next-version')),
  };
}

/** Who serves it, as operators are told. */
async function sessionsQueue() {
  const { queues } = await platform.api.call<Diagnostics>('/api/v1/diagnostics', { token: platform.operator });
  return queues.find(({ queue }) => queue === taskQueues.sessions);
}

const completes = async (sessionId: string) => expect(await user.ask(sessionId, 'What is 17 times 23?')).toMatchObject({ outcome: 'completed' });

it('takes sessions over once it is made the current one, those of workers without a version, too, and nothing fails meanwhile', async () => {
  const workflowBundle = path.join(platform.stateDir, 'next-version.js');
  await writeFile(workflowBundle, (await bundleOf(require.resolve('./changed-workflows'), require.resolve('../../src/workflows/failure-converter'))).code);
  const one = platform.anotherWorker('one', { TEMPORAL_WORKER_BUILD_ID: 'one' });
  const two = platform.anotherWorker('two', { TEMPORAL_WORKER_BUILD_ID: 'two', WORKFLOW_BUNDLE: workflowBundle });
  const old = await user.open();
  try {
    await completes(old);
    await one.start();
    await until('version one asks for work', async () => (await sessionsQueue())?.idleVersions?.[0] === 'one');
    await completes(old);
    expect(await lookAt(old)).toEqual({ versions: ['none'], failed: false, isOfNext: false });
    await makeCurrent('one');
    await completes(old);
    await platform.services.worker.stop();
    await two.start();
    await completes(old);
    expect(await lookAt(old)).toEqual({ versions: ['none', 'one'], failed: false, isOfNext: false });
    await makeCurrent('two');
    await completes(old);
    const young = await user.open();
    for (let turn = 0; turn < 3; turn += 1) await completes(young);
    expect(await sessionsQueue()).toMatchObject({ pollers: 1, idleVersions: ['one'] });
    await one.stop();
    await Promise.all([completes(old), completes(young)]);
    expect(await lookAt(old)).toEqual({ versions: ['none', 'one', 'two'], failed: false, isOfNext: false });
    expect(await lookAt(young)).toEqual({ versions: ['two'], failed: false, isOfNext: true });
  } finally {
    await Promise.all([one.stop(), two.stop()]);
  }
});
