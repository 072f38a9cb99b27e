import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';

/** Bundles the workflows once, at build time, so that workers start at once and all run the same code. */
async function bundleWorkflows(): Promise<string> {
  const workflowsPath = require.resolve('./index');
  const failureConverterPath = require.resolve('./failure-converter');
  const { code } = await bundleWorkflowCode({ workflowsPath, failureConverterPath, logger: { ...console, trace: () => undefined, debug: () => undefined, info: () => undefined, log: () => undefined } });
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
