import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { maintenanceJobs } from '../../src/contracts/names';

jest.setTimeout(60_000);

const directory = path.join(__dirname, 'histories');
const files = readdirSync(directory).filter((file) => file.endsWith('.json'));
const logger = new DefaultLogger('ERROR');
let workflowBundle: WorkflowBundleWithSourceMap;

beforeAll(async () => {
  Runtime.install({ logger });
  workflowBundle = await bundleWorkflowCode({ workflowsPath: require.resolve('../../src/workflows/index'), failureConverterPath: require.resolve('../../src/workflows/failure-converter'), logger });
});

/** Each was written by a system that ran: what runs in production now must go on under today's code. */
it.each(files)('replays %s', async (file) => {
  const history: unknown = JSON.parse(readFileSync(path.join(directory, file), 'utf8'));
  await Worker.runReplayHistory({ workflowBundle }, history, path.basename(file, '.json'));
});

it('has a history of each kind of workflow', () => {
  const kinds = ['session', 'session-held', 'session-interrupted', 'session-steered', 'session-approvals', 'onboarding', 'offboarding', 'backup', 'restore', 'rehearsal', 'suspension', 'resumption', 'tier-change', 'configuration-change', 'key-rotation', 'client-rotation', ...Object.keys(maintenanceJobs).map((job) => `maintenance-${job.replace('_', '-')}`)];
  for (const kind of kinds) expect(files.some((file) => file.startsWith(kind))).toBe(true);
});
