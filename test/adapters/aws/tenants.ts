import { randomBytes } from 'node:crypto';
import { createAgentConfigs } from '../../../src/adapters/aws/agent-configs';
import { createAgentSchedules } from '../../../src/adapters/aws/agent-schedules';
import { createAgents } from '../../../src/adapters/aws/agents';
import { createBackups } from '../../../src/adapters/aws/backup/backups';
import { createRestores } from '../../../src/adapters/aws/backup/restores';
import { createBackupStore } from '../../../src/adapters/aws/backup/store';
import { createPlatformClients } from '../../../src/adapters/aws/clients';
import { createAwsFinders } from '../../../src/adapters/aws/inventory';
import { createErasures } from '../../../src/adapters/aws/erasures';
import { createHistoryCipher } from '../../../src/adapters/aws/history-cipher';
import { createHistoryKeys } from '../../../src/adapters/aws/history-keys';
import { createMemory } from '../../../src/adapters/aws/memory';
import { ensurePlatform } from '../../../src/adapters/aws/platform';
import { createSessionDirectory } from '../../../src/adapters/aws/session-directory';
import { createSessionLog } from '../../../src/adapters/aws/session-log';
import { createAttachments } from '../../../src/adapters/aws/attachments';
import { createSessionMessages } from '../../../src/adapters/aws/session-messages';
import { createTenantAccess } from '../../../src/adapters/aws/tenant-access';
import { createPlatformCipher, createTenantCipher } from '../../../src/adapters/aws/tenant-cipher';
import { createTenantData } from '../../../src/adapters/aws/tenant-data';
import { createTenantDirectory } from '../../../src/adapters/aws/tenant-directory';
import { createTenantMemories } from '../../../src/adapters/aws/tenant-memories';
import { createTenantRegistry } from '../../../src/adapters/aws/tenant-registry';
import { createTenantRuntimes } from '../../../src/adapters/aws/tenant-runtimes';
import { createTenantStacks } from '../../../src/adapters/aws/tenant-stacks';
import { createTenantUsers } from '../../../src/adapters/aws/tenant-users';
import { createDataConverter } from '../../../src/adapters/temporal/history-codec';
import { createTenantInventory, registryFinder } from '../../../src/adapters/tenant-inventory';
import { loadConfig } from '../../../src/config';
import { operationIds, platformResources } from '../../../src/contracts/names';
import { leftovers } from '../../../src/domain/inventory';
import type { ServedTenant } from '../../../src/contracts/tenant';
import type { Waiting } from '../../../src/ports/provisioning';

export const config = loadConfig();
export const settings = config.aws;
export const aws = createPlatformClients(settings);
export const access = createTenantAccess({ sts: aws.sts, settings });
export const registry = createTenantRegistry(aws);
export const directory = createTenantDirectory({ registry, cacheMs: 1_000 });
export const cipher = createTenantCipher({ access, directory });
/** For clients of Temporal: what they write is encrypted as in production. With caches of its own, as a process that has just started. */
export const freshDataConverter = () =>
  createDataConverter({
    sessions: createHistoryCipher(createHistoryKeys({ table: aws.table, directory, access })),
    tenant: createTenantCipher({ access, directory }),
    platform: createPlatformCipher({ kms: aws.kms, keyAlias: platformResources.historyKeyAlias }),
  });
export const dataConverter = freshDataConverter();
export const stacks = createTenantStacks(aws);
export const memories = createTenantMemories(aws);
export const runtimes = createTenantRuntimes({ agentCoreControl: aws.agentCoreControl, region: settings.region, settings: config.tenantParts.runtime });
export const memory = createMemory({ access, directory });
export const configs = createAgentConfigs({ access, ssm: aws.ssm });
export const agents = createAgents({ access, cipher });
export const agentSchedules = createAgentSchedules({ access, cipher });
export const users = createTenantUsers(aws);
export const data = createTenantData({ aws, registry });
export const inventory = createTenantInventory([registryFinder(registry), ...createAwsFinders(aws)]);
/** What is left of a tenant in AWS that should be gone. */
export const remainsOf = async (tenantId: string) => leftovers(await inventory.list(tenantId));
export const log = createSessionLog({ access, cipher });
export const messages = createSessionMessages({ access, cipher });
export const attachments = createAttachments({ access, cipher });
export const sessions = createSessionDirectory({ access });

export const backupStore = createBackupStore(aws);
export const backupDeps = { store: backupStore, ssm: aws.ssm, directory, access, cipher, memory, users };
export const backups = createBackups(backupDeps);
export const erasures = createErasures(aws);
export const restores = createRestores({ ...backupDeps, data, erasures });

/** Nobody cancels, and nobody listens. */
export const waiting: Waiting = { signal: new AbortController().signal, beat: () => undefined };

const unique = () => randomBytes(13).toString('hex');
export const newTenantId = (): string => `t-${unique().slice(0, 12)}`;
export const newOperationId = (tenantId: string): string => operationIds.of('onboarding', tenantId, unique());
export const newSession = (tenantId: string) => ({ tenantId, sessionId: `ses-${unique()}` });

/** Idempotent, so each test file may do it. */
export const standingPlatform = () => ensurePlatform(aws, settings, waiting.signal);

/** A tenant with all that AWS holds for it. */
export async function standingTenant(tenantId = newTenantId()): Promise<ServedTenant> {
  const operationId = newOperationId(tenantId);
  await registry.reserve({ tenantId, displayName: tenantId, tier: 'standard', operationId });
  const infrastructure = await stacks.create(tenantId, operationId, waiting);
  const memoryId = await memories.create({ tenantId, operationId, ...infrastructure }, waiting);
  const runtime = await runtimes.create({ tenantId, operationId, infrastructure }, waiting);
  await registry.update(tenantId, { infrastructure, memoryId, ...(runtime && { runtime }) });
  const record = await registry.transition({ tenantId, from: ['provisioning'], to: 'active', operationId });
  return { ...record, infrastructure, memoryId };
}
