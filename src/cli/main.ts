#!/usr/bin/env node
import { createInterface } from 'node:readline/promises';
import { Command, Option } from 'commander';
import { groups } from '../contracts/names';
import type { Operation } from '../contracts/operation';
import type { TenantRecord } from '../contracts/tenant';
import { localAccounts } from './accounts';
import { ApiClient, ApiProblem } from './api-client';
import { watchOperation } from './operations';
import { readLocalSettings } from './settings';

const program = new Command('tenure').description('Run AI agents for every one of your customers.').showHelpAfterError();

async function connect() {
  const settings = await readLocalSettings();
  return { api: new ApiClient(settings.apiUrl), accounts: localAccounts(settings) };
}

/** Prints an operation as it goes; the exit code says how it ended. */
async function follow(api: ApiClient, operationId: string, token: string): Promise<void> {
  const ended = await watchOperation(api, operationId, token, ({ name, state, error }) => {
    console.log(`  ${state.padEnd(10)} ${name}${error === undefined ? '' : `  (${error})`}`);
  });
  console.log(`${ended.kind} of ${ended.tenantId}: ${ended.state}${ended.error ? ` — ${ended.error.code}: ${ended.error.message}` : ''}`);
  if (ended.state !== 'completed') process.exitCode = 1;
}

const tenant = program.command('tenant').description('onboard, list and offboard tenants');

tenant
  .command('create <tenantId>')
  .description('onboard a tenant and watch it come up')
  .option('--name <name>', 'display name')
  .addOption(new Option('--tier <tier>').choices(['standard', 'premium']).default('standard'))
  .option('--admin <email>', 'first administrator', 'admin@example.com')
  .action(async (tenantId: string, options: { name?: string; tier: string; admin: string }) => {
    const { api, accounts } = await connect();
    const token = await accounts.operatorToken();
    const body = { tenantId, displayName: options.name ?? tenantId, tier: options.tier, administrator: { email: options.admin } };
    const operation = await api.call<Operation>('/api/v1/tenants', { method: 'POST', token, body });
    console.log(`operation ${operation.operationId}`);
    await follow(api, operation.operationId, token);
  });

tenant
  .command('list')
  .description('list all tenants')
  .action(async () => {
    const { api, accounts } = await connect();
    const token = await accounts.operatorToken();
    const { data } = await api.call<{ data: TenantRecord[] }>('/api/v1/tenants', { token });
    console.table(data.map(({ tenantId, status, tier, createdAt }) => ({ tenantId, status, tier, createdAt })));
  });

tenant
  .command('show <tenantId>')
  .description('show one tenant')
  .action(async (tenantId: string) => {
    const { api, accounts } = await connect();
    console.log(JSON.stringify(await api.call(`/api/v1/tenants/${tenantId}`, { token: await accounts.operatorToken() }), null, 2));
  });

tenant
  .command('offboard <tenantId>')
  .description('back a tenant up, verify the backup, and delete everything it has')
  .option('--grace <seconds>', 'time between backup and deletion in which it can be cancelled', '0')
  .option('--yes', 'do not ask')
  .action(async (tenantId: string, options: { grace: string; yes?: boolean }) => {
    if (options.yes !== true) await confirm(tenantId);
    const { api, accounts } = await connect();
    const token = await accounts.operatorToken();
    const operation = await api.call<Operation>(`/api/v1/tenants/${tenantId}?graceSeconds=${options.grace}`, { method: 'DELETE', token });
    console.log(`operation ${operation.operationId}`);
    await follow(api, operation.operationId, token);
  });

program
  .command('operation <operationId>')
  .description('watch an onboarding or offboarding')
  .action(async (operationId: string) => {
    const { api, accounts } = await connect();
    await follow(api, operationId, await accounts.operatorToken());
  });

program
  .command('chat <tenantId> <text>')
  .description('say something to the agent of a tenant, as a user of that tenant')
  .option('--session <id>', 'go on with this session')
  .option('--user <email>', 'who speaks; created when missing', 'you@example.com')
  .action(async (tenantId: string, text: string, options: { session?: string; user: string }) => {
    const { api, accounts } = await connect();
    const { accessToken: token } = await accounts.userTokens(tenantId, options.user);
    const body = { prompt: text, ...(options.session !== undefined && { session_id: options.session }) };
    for await (const { event, data } of api.stream(`/api/v1/tenant/${tenantId}/agent`, { method: 'POST', token, body })) {
      const entry = JSON.parse(data) as { text?: string; tool?: string; sessionId?: string; outcome?: string };
      if (event === 'text.delta') process.stdout.write(entry.text ?? '');
      else if (event === 'tool.started') process.stdout.write(`\n  [${entry.tool ?? ''}]\n`);
      else if (event === 'turn.completed') process.stdout.write(`\n(${entry.outcome ?? ''})\n`);
    }
  });

program
  .command('token')
  .description('print an access token: of the operator, or of a user of a tenant; good for an hour')
  .option('--tenant <tenantId>', 'of a user of this tenant')
  .option('--user <email>', 'which user; created when missing, and given a new random password', 'you@example.com')
  .addOption(new Option('--group <group>', 'group the user is put in').choices([groups.members, groups.administrators]).default(groups.members))
  .action(async (options: { tenant?: string; user: string; group: string }) => {
    const { accounts } = await connect();
    const token =
      options.tenant === undefined
        ? await accounts.operatorToken()
        : (await accounts.userTokens(options.tenant, options.user, [options.group])).accessToken;
    console.log(token);
  });

async function confirm(tenantId: string): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const typed = await terminal.question(`This deletes everything ${tenantId} has, after a verified backup. Type the tenant's id to go on: `);
  terminal.close();
  if (typed.trim() !== tenantId) throw new Error('Nothing was done: that was not the id.');
}

program.parseAsync().catch((error: unknown) => {
  const message = error instanceof ApiProblem ? `${error.code}: ${error.message}` : error instanceof Error ? error.message : String(error);
  console.error(message);
  process.exitCode = 1;
});
