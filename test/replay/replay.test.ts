import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DefaultLogger, type ReplayResult, Runtime } from '@temporalio/worker';
import { maintenanceJobs } from '../../src/contracts/names';
import { bundleOfPlatform } from '../support/bundle';
import { replayed } from '../support/replay';

const directory = path.join(__dirname, 'histories');
const files = readdirSync(directory).filter((file) => file.endsWith('.json'));
const historyOf = (file: string): unknown => JSON.parse(readFileSync(path.join(directory, file), 'utf8'));
const results = new Map<string, ReplayResult>();

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const histories = files.map((file) => ({ workflowId: file, history: historyOf(file) }));
  for (const result of await replayed(await bundleOfPlatform(), histories)) results.set(result.workflowId, result);
});

/** Each was written by a system that ran: what runs in production now must go on under today's code. */
it.each(files)('replays %s', (file) => {
  const result = results.get(file);
  if (result?.error) throw result.error;
  expect(result).toBeDefined();
});

it('has a history of each kind of workflow', () => {
  const kinds = ['session', 'session-held', 'session-interrupted', 'session-steered', 'session-approvals', 'session-questions', 'session-calling', 'session-called', 'session-facts', 'onboarding', 'offboarding', 'backup', 'restore', 'rehearsal', 'scheduled-run', 'suspension', 'resumption', 'tier-change', 'configuration-change', 'key-rotation', 'client-rotation', 'erasure', ...Object.keys(maintenanceJobs).map((job) => `maintenance-${job.replace('_', '-')}`)];
  for (const kind of kinds) expect(files.some((file) => file.startsWith(kind))).toBe(true);
});
