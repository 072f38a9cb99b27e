import { TestEnvironment } from 'jest-environment-node';

/**
 * For tests of broken connections. Jest gives each test file its own `Error`, which errors of Node's core are no instances of;
 * libraries that ask take them for something else then. With this environment they are what they are in production.
 */
export class OuterErrors extends TestEnvironment {
  override async setup(): Promise<void> {
    await super.setup();
    this.global.Error = Error;
  }
}

// Jest takes an environment's default export only.
module.exports = OuterErrors;
