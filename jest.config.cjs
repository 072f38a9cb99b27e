/** Tests compile with swc (types are checked by `npm run typecheck`); jose is published as ES modules only. */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.[jt]s$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } }],
  },
  transformIgnorePatterns: ['/node_modules/(?!jose/)'],
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  reporters: ['default', '<rootDir>/test/support/what-hangs.cjs'],
  // For what hangs only: how long a test takes is the machine's matter, and no test's.
  testTimeout: 300_000,
  maxWorkers: 2,
  // What each file has loaded stays: a worker that has grown is replaced.
  workerIdleMemoryLimit: '1GB',
};
