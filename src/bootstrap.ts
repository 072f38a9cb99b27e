import { Client, Connection } from '@temporalio/client';
import { createPlatformClients } from './adapters/aws/clients';
import { ensureOperator, ensurePlatform } from './adapters/aws/platform';
import { ensureProcessUsers } from './adapters/aws/process-identities';
import { connectionOptions } from './adapters/temporal/connection';
import { createSchedules } from './adapters/temporal/schedules';
import { ensureSearchAttributes } from './adapters/temporal/search-attributes';
import { type Config, loadConfig } from './config';
import { platformOwner } from './contracts/names';
import { createLogger } from './logging';

/** Time for all of it; a new table takes the longest. */
const timeoutMs = 120_000;

/**
 * Sets the platform up: registry table, operators' pool, backup bucket and key, search attributes, schedules of its maintenance. Idempotent, so it runs
 * before every start. @throws DomainError `dependency/unavailable`
 */
export async function bootstrapPlatform(config: Config): Promise<void> {
  await ensurePlatform(createPlatformClients(config.aws), { ...config.aws, alarmTopicArn: config.tenantParts.alarmTopicArn }, AbortSignal.timeout(timeoutMs));
  const connection = await Connection.connect(connectionOptions(config.temporal));
  try {
    await ensureSearchAttributes(connection, config.temporal.namespace);
    // What is there stays as it is: an operator may have paused it.
    await createSchedules(new Client({ connection, namespace: config.temporal.namespace })).ensure(platformOwner);
  } finally {
    await connection.close();
  }
}

/** An operator with this password, made or renewed. @returns the pool and client to log in with. */
export const createOperator = (config: Config, operator: { readonly email: string; readonly password: string }) =>
  ensureOperator(createPlatformClients(config.aws), operator);

/** Users of an emulator, as which api and worker run with the policies they have in AWS. @param template - the policies, in CloudFormation's terms. @returns their keys, new each time. */
export const createProcessUsers = (config: Config, template: string) => ensureProcessUsers(createPlatformClients(config.aws), template, AbortSignal.timeout(timeoutMs));

async function main(): Promise<void> {
  const config = loadConfig();
  await bootstrapPlatform(config);
  if (config.firstOperator) await createOperator(config, config.firstOperator);
  createLogger('bootstrap', config.logLevel).info('the platform is set up');
}

if (require.main === module)
  main().catch((error: unknown) => {
    createLogger('bootstrap', 'error').error({ err: error }, 'the platform could not be set up');
    process.exitCode = 1;
  });
