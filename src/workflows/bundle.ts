import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type BundleOptions, bundleWorkflowCode } from '@temporalio/worker';

/**
 * Modules are loaded once for all workflows of a worker, in place of once for each: half of a session's memory was its own
 * copy of them. They hold no state, then; the linter looks for it.
 * @param workflowsPath - absolute path of the module that exports the workflows.
 */
export const loadedOnce = (workflowsPath: string) => ({ workflowsPath, preloadModules: [workflowsPath] }) satisfies BundleOptions;

/** Bundles the workflows once, at build time, so that workers start at once and all run the same code. */
async function bundleWorkflows(): Promise<string> {
  const { code } = await bundleWorkflowCode({
    ...loadedOnce(require.resolve('./index')),
    failureConverterPath: require.resolve('./failure-converter'),
    logger: { ...console, trace: () => undefined, debug: () => undefined, info: () => undefined, log: () => undefined },
  });
  return code;
}

if (require.main === module) {
  const bundlePath = path.join(__dirname, 'bundle.generated.js');
  bundleWorkflows()
    .then((code) => writeFile(bundlePath, code))
    .catch((error: unknown) => {
      console.error(error);
      process.exitCode = 1;
    });
}
