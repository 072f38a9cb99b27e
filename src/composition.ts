import type { Client } from '@temporalio/client';
import { createToolbox } from './activities/session/tools';
import { createAccessCache } from './adapters/access-cache';
import { announcedRegistry } from './adapters/announced-registry';
import { accessFinder, createAccessStore } from './adapters/aws/access-store';
import { createApprovals } from './adapters/aws/approvals';
import { createQuestions } from './adapters/aws/questions';
import { createAgentConfigs } from './adapters/aws/agent-configs';
import { createAgentSchedules } from './adapters/aws/agent-schedules';
import { createAgents } from './adapters/aws/agents';
import { createAttachments } from './adapters/aws/attachments';
import { createAuditLog } from './adapters/aws/audit/log';
import { createBackups } from './adapters/aws/backup/backups';
import { createRestores } from './adapters/aws/backup/restores';
import { createBackupStore } from './adapters/aws/backup/store';
import { createBedrockModel } from './adapters/aws/bedrock-model';
import { createBudgetLedger } from './adapters/aws/budget-ledger';
import { createCertificates } from './adapters/aws/certificates';
import { createPlatformClients, type PlatformClients } from './adapters/aws/clients';
import { createAwsFinders } from './adapters/aws/inventory';
import { createErasedData } from './adapters/aws/erased-data';
import { createErasures } from './adapters/aws/erasures';
import { createHistoryCipher } from './adapters/aws/history-cipher';
import { createHistoryKeys } from './adapters/aws/history-keys';
import { createMetrics } from './adapters/aws/metrics';
import { createOperatorSignIn } from './adapters/aws/cognito-login';
import { createKeyRotation } from './adapters/aws/key-rotation';
import { createMemory } from './adapters/aws/memory';
import { createProbeResults } from './adapters/aws/probe-results';
import { createReports } from './adapters/aws/reports';
import { createSessionDirectory } from './adapters/aws/session-directory';
import { createSessionLog } from './adapters/aws/session-log';
import { createSessionMessages } from './adapters/aws/session-messages';
import { createToolLister } from './adapters/tool-sources/lister';
import { createSourceCredentials } from './adapters/tool-sources/source-credentials';
import { createMcpServers } from './adapters/tool-sources/mcp-servers';
import { createTenantAccess, type TenantAccess } from './adapters/aws/tenant-access';
import { createPlatformCipher, createTenantCipher } from './adapters/aws/tenant-cipher';
import { createTenantData } from './adapters/aws/tenant-data';
import { createTenantDirectory } from './adapters/aws/tenant-directory';
import { createTenantGateways } from './adapters/aws/tenant-gateways';
import { createTenantIdentities } from './adapters/aws/tenant-identities';
import { createTenantMemories } from './adapters/aws/tenant-memories';
import { createToolLedger } from './adapters/aws/tool-ledger';
import { createToolSecrets } from './adapters/aws/tool-secrets';
import { createToolSources } from './adapters/aws/tool-sources';
import { createTenantRegistry } from './adapters/aws/tenant-registry';
import { createTenantRuntimes } from './adapters/aws/tenant-runtimes';
import { createTenantScalings } from './adapters/aws/tenant-scalings';
import { createMachineClients } from './adapters/aws/machine-clients';
import { createTenantStacks } from './adapters/aws/tenant-stacks';
import { createSignInPlaces, createTokenIssuers } from './adapters/aws/token-issuers';
import { createTenantUsers } from './adapters/aws/tenant-users';
import { createTokenVerifier } from './adapters/cognito-tokens/token-verifier';
import { createIsolationProbe } from './adapters/isolation-probe/probe';
import { createHttpCaller, createPinnedSender } from './adapters/http/http-caller';
import { createWebhooks } from './adapters/http/webhooks';
import { createAgentClock } from './adapters/temporal/agent-clock';
import { createTemporalClient } from './adapters/temporal/connection';
import { createDataConverter, createHistoryReader } from './adapters/temporal/history-codec';
import { createErasedWork } from './adapters/temporal/erased-work';
import { createOperations } from './adapters/temporal/operations';
import { createSchedules } from './adapters/temporal/schedules';
import { createSessions } from './adapters/temporal/sessions';
import { vacatingPlaces } from './adapters/turn-places';
import { auditFinder, createTenantInventory, registryFinder } from './adapters/tenant-inventory';
import { createTaskQueues } from './adapters/temporal/task-queues';
import { createTenantWork } from './adapters/temporal/tenant-work';
import { createLiveEvents } from './adapters/valkey/live-events';
import { createMessagesUnderWay } from './adapters/valkey/messages-under-way';
import { createRequestLimiter } from './adapters/valkey/request-limiter';
import { createPlaces } from './adapters/valkey/places';
import { createTenantChanges } from './adapters/valkey/tenant-changes';
import { createWorkerRoster } from './adapters/valkey/worker-roster';
import { createTenantKeys } from './adapters/valkey/tenant-keys';
import { createUsageStore } from './adapters/aws/usage-store';
import { createValkey, type Valkey } from './adapters/valkey/connection';
import { createWaitingSessions } from './adapters/waiting-sessions';
import type { Config } from './config';
import type { ModelPrices } from './contracts/prices';
import { platformResources } from './contracts/names';
import type { Logger } from './logging';
import type { BudgetLedger } from './ports/budget-ledger';
import type { Memory } from './ports/memory';

/** Every adapter behind every port, wired once. Nothing is connected before it is used. */
export function createAdapters(config: Config, logger: Logger) {
  const aws = createPlatformClients(config.aws);
  const valkey = createValkey(config.valkey.url, logger);
  const common = createCommonKnowledge(valkey);
  const registry = announcedRegistry(createTenantRegistry(aws), common.tenantChanges);
  const directory = createTenantDirectory({ registry, cacheMs: config.tenantCacheMs });
  const access = createTenantAccess({ sts: aws.sts, settings: config.aws });
  const cipher = createTenantCipher({ access, directory });
  const platformCipher = createPlatformCipher({ kms: aws.kms, keyAlias: platformResources.historyKeyAlias });
  const dataConverter = createDataConverter({ sessions: createHistoryCipher(createHistoryKeys({ table: aws.table, directory, access })), tenant: cipher, platform: platformCipher });
  const temporal = createTemporalClient(config.temporal, dataConverter);
  const memory = createMemory({ access, directory });
  const users = createTenantUsers(aws);
  const traces = createTenantKeys(valkey);
  const accessStore = createAccessStore(aws);
  const data = createTenantData({ aws, registry });
  const erasures = createErasures(aws);
  const backup = { store: createBackupStore(aws), ssm: aws.ssm, directory, access, cipher, memory, users, erasures };
  const audit = createAuditLog(aws);
  const work = createTenantWork(temporal.client);
  const signInPlaces = createSignInPlaces({ settings: config.aws, ssm: aws.ssm });
  const sessions = createSessionDirectory({ access });
  const live = createLiveEvents({ valkey, cipher, logger });
  const counters = createCounters({ access, prices: config.prices });

  return {
    registry,
    audit,
    directory,
    stacks: createTenantStacks({ cloudFormation: aws.cloudFormation, cognito: aws.cognito, alarmTopicArn: config.tenantParts.alarmTopicArn }),
    memories: createTenantMemories(aws),
    ...createTenantParts(aws, config),
    configs: createAgentConfigs({ access, ssm: aws.ssm }),
    users,
    data,
    traces,
    inventory: createTenantInventory([registryFinder(registry), auditFinder(audit), ...createAwsFinders(aws), accessFinder(aws), work, traces]),
    work,
    certificates: createCertificates(aws),
    erasures,
    erasurePlaces: [...createErasedData({ access, memory, s3: aws.s3 }), traces.place, createErasedWork(temporal.client)],
    backups: createBackups(backup),
    restores: createRestores({ ...backup, data }),
    sessions,
    ...createTenantTable({ access, cipher, directory, underWay: createMessagesUnderWay(valkey, directory) }),
    memory,
    metrics: createMetrics(aws),
    model: createBedrockModel({ region: config.aws.region, endpoint: config.aws.bedrockEndpoint }),
    ...createToolAdapters({ access, memory, privateAddresses: config.egressPrivateAddresses }),
    issuers: createTokenIssuers({ settings: config.aws, ssm: aws.ssm }),
    signInPlaces,
    tokens: createTokenVerifier(),
    live: vacatingPlaces(live, common.places),
    ...common,
    accessStore,
    machineClients: createMachineClients({ cognito: aws.cognito, settings: config.aws }),
    access: createAccessCache({ store: accessStore, cacheMs: config.accessCacheMs }),
    ...createOrders(temporal.client, counters.budgetLedger),
    reports: createReports(aws),
    probeResults: createProbeResults(aws),
    isolationProbe: createIsolationProbe({ settings: config.aws, aws, access, users, sessions, cipher, live, valkey, codec: dataConverter.payloadCodecs[0], apiUrl: config.isolationProbe.apiUrl }),
    suspendsIntruders: config.isolationProbe.suspends,
    ...counters,
    contexts: config.contexts,
    sessionIdleMs: config.maintenance.sessionIdleMs,
    dataConverter,
    history: createHistoryReader(dataConverter.payloadCodecs[0]),
    operatorSignIn: createOperatorSignIn(signInPlaces),
    temporalClient: temporal.client,
    temporalUiUrl: config.temporal.uiUrl,
    tenantCacheMs: config.tenantCacheMs,
    cipher,
    keyRotation: createKeyRotation({ kms: aws.kms, mode: config.keyRotation }),
    tiers: config.tiers,
    /** Age at which every process has read a tenant's tier anew, workers included. */
    tierHeardAfterMs: Math.max(config.tenantCacheMs, config.worker.reconcileMs),
    dependencies: [temporal.dependency, valkey.dependency],
    async close(): Promise<void> {
      await Promise.all([valkey.close(), temporal.close()]);
    },
  };
}

/** What stands in the tenant's own table, and what is large of it in its bucket, beside its list of sessions. */
const createTenantTable = (deps: Parameters<typeof createSessionLog>[0] & Parameters<typeof createSessionMessages>[0]) => ({
  agents: createAgents(deps),
  agentSchedules: createAgentSchedules(deps),
  log: createSessionLog(deps),
  messages: createSessionMessages(deps),
  attachments: createAttachments(deps),
  approvals: createApprovals(deps),
  questions: createQuestions(deps),
  ledger: createToolLedger(deps),
});

/** What agents use, and where tenants get more of it from: all that goes out goes over the same connections. */
function createToolAdapters({ access, memory, privateAddresses }: { access: TenantAccess; memory: Memory; privateAddresses: readonly string[] }) {
  const send = createPinnedSender({ privateAddresses });
  const http = createHttpCaller(send);
  const mcp = createMcpServers({ send });
  const [sources, secrets, lister] = [createToolSources({ access }), createToolSecrets({ access }), createToolLister({ http, mcp })] as const;
  const credentials = createSourceCredentials({ http, secrets });
  return {
    toolSources: sources,
    toolSecrets: secrets,
    toolLister: lister,
    sourceCredentials: credentials,
    toolbox: createToolbox({ memory, http, mcp, sources, credentials, lister }),
    webhooks: createWebhooks(http),
  };
}

/** What all processes know together, and count. */
const createCommonKnowledge = (valkey: Valkey) => ({
  limiter: createRequestLimiter(valkey),
  places: createPlaces(valkey),
  workerRoster: createWorkerRoster(valkey),
  tenantChanges: createTenantChanges(valkey),
});

/** What was used, what it cost, and what may still be spent. */
const createCounters = ({ access, prices }: { access: TenantAccess; prices: ModelPrices }) => ({ usage: createUsageStore({ access }), budgetLedger: createBudgetLedger({ access }), prices });

/** What Temporal is asked to do, and asked about. */
function createOrders(client: Client, ledger: BudgetLedger) {
  const sessionWorkflows = createSessions(client);
  return {
    sessionWorkflows,
    waitingSessions: createWaitingSessions(ledger, sessionWorkflows),
    queues: createTaskQueues(client),
    operations: createOperations(client),
    schedules: createSchedules(client),
    agentClock: createAgentClock(client),
  };
}

/** What a tenant is given where the settings and AWS, or its emulator, have it. */
function createTenantParts(aws: PlatformClients, { aws: { region }, tenantParts }: Config) {
  const { agentCoreControl, has } = aws;
  return {
    runtimes: createTenantRuntimes({ agentCoreControl, region, settings: tenantParts.runtime }),
    gateways: has.gateway ? createTenantGateways({ agentCoreControl, region, settings: tenantParts.gateway }) : undefined,
    identities: has.identity ? createTenantIdentities({ agentCoreControl, settings: tenantParts.identity }) : undefined,
    scalings: has.scaling ? createTenantScalings({ applicationAutoScaling: aws.applicationAutoScaling, settings: tenantParts.scaling }) : undefined,
  };
}

export type Adapters = ReturnType<typeof createAdapters>;
