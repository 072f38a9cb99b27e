import { bundleOfPlatform } from '../support/bundle';

it("carries no packages but Temporal's own: each workflow that begins runs all of it", async () => {
  const { code } = await bundleOfPlatform();
  const packages = [...code.matchAll(/^\/\*\*\*\/ "\.\/node_modules\/((?:@[^/]+\/)?[^/]+)/gm)].map(([, name]) => name);
  expect([...new Set(packages)].toSorted()).toEqual(['@temporalio/common', '@temporalio/workflow', 'long', 'ms', 'nexus-rpc']);
});
