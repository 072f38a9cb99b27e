import { createHash } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundle } from '@temporalio/worker';
import { loadedOnce } from '../../src/workflows/bundle';

const logger = new DefaultLogger('ERROR');
const bundles = new Map<string, Promise<WorkflowBundle>>();

/**
 * The code of workflows, bundled once for all test files of a run: webpack takes seconds.
 * @param workflowsPath - absolute path of the module that exports them.
 * @param failureConverterPath - absolute; default: the SDK's own converter.
 */
export function bundleOf(workflowsPath: string, failureConverterPath?: string): Promise<WorkflowBundle> {
  const key = createHash('sha256').update(JSON.stringify([workflowsPath, failureConverterPath])).digest('hex');
  const known = bundles.get(key) ?? keptOrMade(key, workflowsPath, failureConverterPath);
  bundles.set(key, known);
  return known;
}

async function keptOrMade(key: string, workflowsPath: string, failureConverterPath: string | undefined): Promise<WorkflowBundle> {
  const directory = process.env['TENURE_TEST_BUNDLES'];
  if (!directory) throw new Error('TENURE_TEST_BUNDLES must name the folder of the workflow bundles; the global setup makes it.');
  const file = path.join(directory, `${key}.js`);
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  if (kept !== undefined) return { code: kept };
  const { code } = await bundleWorkflowCode({ ...loadedOnce(workflowsPath), ...(failureConverterPath !== undefined && { failureConverterPath }), logger });
  // Whole or not at all: another file may look for it now.
  const unfinished = `${file}.${process.pid}`;
  await writeFile(unfinished, code);
  await rename(unfinished, file);
  return { code };
}

/** What src/worker.ts runs. */
export const bundleOfPlatform = (): Promise<WorkflowBundle> =>
  bundleOf(require.resolve('../../src/workflows/index'), require.resolve('../../src/workflows/failure-converter'));
