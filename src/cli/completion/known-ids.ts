import { setTimeout as delay } from 'node:timers/promises';
import { maintenanceJobs } from '../../contracts/names';
import type { OperationSummary } from '../../contracts/operation';
import type { TenantRecord } from '../../contracts/tenant';
import { apiPath } from '../access';
import { Cli } from '../cli';
import type { Candidate, KnownIds } from './candidates';

/** Whoever presses Tab does not wait for long. */
const patienceMs = 3_000;
const most = 100;

/** Ids of the API this user is signed in at; none when it does not answer at once. */
export const knownIds: KnownIds = async (name, args) => {
  const find = finders[name];
  if (!find) return [];
  const late = delay(patienceMs, [], { ref: false });
  return Promise.race([find(new Cli({ color: false }), args).catch(() => []), late]);
};

const finders: Readonly<Record<string, (cli: Cli, args: readonly string[]) => Promise<Candidate[]>>> = {
  async tenantId(cli) {
    const tenants = await (await cli.operator()).all<TenantRecord>('/api/v1/tenants', {}, most);
    return tenants.map(({ tenantId, status, displayName }) => ({ value: tenantId, description: `${status}, ${displayName}` }));
  },
  async operationId(cli) {
    const operations = await (await cli.operator()).all<OperationSummary>('/api/v1/operations', {}, most);
    return operations.map(({ operationId, state, startedAt }) => ({ value: operationId, description: `${state}, ${startedAt}` }));
  },
  async backupId(cli, [tenantId = '']) {
    const backups = await (await cli.operator()).all<{ backupId: string; createdAt: string }>(apiPath`/tenants/${tenantId}/backups`, {}, most);
    return backups.map(({ backupId, createdAt }) => ({ value: backupId, description: createdAt }));
  },
  job: () => Promise.resolve(Object.keys(maintenanceJobs).map((value) => ({ value, description: '' }))),
};
