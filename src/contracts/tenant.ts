import { z } from 'zod';
import { ApprovalPolicy, ApprovalWebhook } from './approval';
import { Budgets } from './budget';
import { CalledAgent, maxCalledAgents } from './called-agent';
import { writtenText } from './written-text';
import { isReservedTenantId, reservedTenantIds, tenantIdPattern } from './names';

/** Of any tenant, Tenure's own included. What a request names is a {@link TenantId}. */
export const AnyTenantId = z.string().regex(tenantIdPattern, 'a tenant id is 3-32 of a-z, 0-9 and -, starting with a letter');

/** A tenant as requests name it. */
export const TenantId = AnyTenantId.refine(
  (tenantId) => !isReservedTenantId(tenantId),
  `${[reservedTenantIds.platform, ...reservedTenantIds.bucketFolders].join(', ')} and ids that begin with "${reservedTenantIds.scratchPrefix}" are reserved: choose another`,
);

/** `scratch`: built for a rehearsal; it serves nobody, and is deleted at the rehearsal's end. */
export const tenantStatuses = ['provisioning', 'active', 'suspended', 'offboarding', 'deleted', 'failed', 'scratch'] as const;
export type TenantStatus = (typeof tenantStatuses)[number];

/** Statuses of a tenant that stands: others may work on it, and it can leave. */
export type WorkingStatus = Extract<TenantStatus, 'active' | 'suspended'>;
export const isWorking = (status: TenantStatus | undefined): status is WorkingStatus => status === 'active' || status === 'suspended';

/** A tier's name; what it allows is configuration, see contracts/tiers.ts. */
export const Tier = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'a tier is 1-32 of a-z, 0-9 and -, starting with a letter');
export type Tier = z.infer<typeof Tier>;

export const RequestRate = z.object({
  requestsPerMinute: z.number().int().min(1).max(1_000_000),
  burst: z.number().int().min(1).max(1_000_000),
});
export type RequestRate = z.infer<typeof RequestRate>;

/** Where a tenant's AWS resources are, once its stack stands. Outputs of cloudformation/tenant-infrastructure.yaml. */
export const TenantInfrastructure = z.object({
  userPoolId: z.string(),
  userPoolClientId: z.string(),
  /** Of the client before it, while both are accepted. */
  retiringUserPoolClientId: z.string().optional(),
  keyArn: z.string(),
  roleArn: z.string(),
  tableName: z.string(),
  bucketName: z.string(),
});
export type TenantInfrastructure = z.infer<typeof TenantInfrastructure>;

/** Where the tenant's agent runs in AgentCore Runtime. */
export const TenantRuntime = z.object({ runtimeId: z.string(), runtimeArn: z.string(), endpointArn: z.string() });
export type TenantRuntime = z.infer<typeof TenantRuntime>;

/** Who the tenant's agent is when it calls others, in AgentCore Identity. */
export const TenantIdentity = z.object({ workloadIdentityArn: z.string(), credentialProviderArn: z.string() });
export type TenantIdentity = z.infer<typeof TenantIdentity>;

/** The tenant's door to its agent at AgentCore Gateway: post to `{url}/{target}/agent`. */
export const TenantGateway = z.object({ gatewayId: z.string(), url: z.string(), targetId: z.string(), rateLimitId: z.string() });
export type TenantGateway = z.infer<typeof TenantGateway>;

/** What makes the worker fleet grow with the tenant's backlog. */
export const TenantScaling = z.object({ resourceId: z.string(), policyArn: z.string() });
export type TenantScaling = z.infer<typeof TenantScaling>;

/** What stays of a tenant that has left, so that nobody gets its id. */
export const Tombstone = z.object({
  deletedAt: z.iso.datetime(),
  /** When the last of its keys is gone, and with it the last chance to read anything. Absent: it had none. */
  keysDeletedAt: z.iso.datetime().optional(),
});
export type Tombstone = z.infer<typeof Tombstone>;

/** The registry's entry. Absent parts have not been built, or are switched off. */
export const TenantRecord = z.object({
  tenantId: AnyTenantId,
  displayName: z.string(),
  tier: Tier,
  status: z.enum(tenantStatuses),
  /** Operation that last changed `status`; only it may change it while it runs. */
  operationId: z.string(),
  /** Operation that works on the tenant now: no other may begin. Onboarding and offboarding hold the tenant by its status instead. */
  claimedBy: z.string().optional(),
  /** Changes when the key was rotated: data keys made before are used for nothing new. */
  keyGeneration: z.string().optional(),
  rate: RequestRate.optional(),
  /** What an operator allows the tenant to spend, in place of what its tier does. */
  operatorBudgets: Budgets.optional(),
  /** What the tenant's administrators allow, within that. */
  ownBudgets: Budgets.optional(),
  /** Goes up with each change of either. Absent: neither was ever set. */
  budgetsRevision: z.number().int().min(0).optional(),
  infrastructure: TenantInfrastructure.optional(),
  memoryId: z.string().optional(),
  runtime: TenantRuntime.optional(),
  identity: TenantIdentity.optional(),
  gateway: TenantGateway.optional(),
  scaling: TenantScaling.optional(),
  /** While it leaves, in the grace period: until when the offboarding can be called off. */
  keepUntil: z.iso.datetime().optional(),
  /** Once it is deleted. */
  tombstone: Tombstone.optional(),
  /** When its data were last replaced by those of a backup. */
  restoredAt: z.iso.datetime().optional(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type TenantRecord = z.infer<typeof TenantRecord>;

/** A tenant that can work: everything it needs is there. */
export type ServedTenant = TenantRecord & { readonly infrastructure: TenantInfrastructure; readonly memoryId: string };

/** As Bedrock names models: an id, or the id or ARN of an inference profile. */
const ModelId = z.string().min(1).max(256);

/** Parts of a request that begin all requests of an agent alike. */
export const CachePoint = z.enum(['system', 'tools']);
export type CachePoint = z.infer<typeof CachePoint>;

/** Of Bedrock Guardrails. */
export const Guardrail = z.strictObject({
  id: z.string().max(2_048).regex(/^([a-z0-9]+|arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:[0-9]{12}:guardrail\/[a-z0-9]+)$/, "a guardrail's id or ARN"),
  version: z.string().regex(/^(DRAFT|[1-9][0-9]{0,7})$/, 'DRAFT or the number of a version'),
});
export type Guardrail = z.infer<typeof Guardrail>;

/** Whether what is remembered of a user is put before the model without its asking, and noted without its doing. Absent parts: no. */
export const AgentMemory = z.strictObject({
  /** Before a turn's first step: so many facts that fit the message, at most. */
  retrieve: z.strictObject({ most: z.number().int().min(1).max(20) }).optional(),
  /** After a turn that was completed: lasting facts from what the user wrote in it. */
  extract: z.boolean().optional(),
});
export type AgentMemory = z.infer<typeof AgentMemory>;

/** The agent of a tenant, kept as one SecureString under /app/tenant/{id}/agent. */
export const AgentConfig = z.object({
  modelId: ModelId.default('anthropic.claude-3-5-sonnet-20241022-v2:0'),
  /** Asked in this order when a model stays busy or out of reach. */
  fallbackModels: z
    .array(ModelId)
    .max(4)
    .refine((names) => new Set(names).size === names.length, 'names a model twice')
    .optional(),
  /** Reads along: what it objects to ends the turn as `model/guardrail-intervened`. */
  guardrail: Guardrail.optional(),
  /** Lets the model reason before it answers, within so many of its output tokens. */
  reasoning: z.strictObject({ budgetTokens: z.number().int().min(1_024).max(63_999) }).optional(),
  /** What of each request the model server is to keep, so that it costs less the next time. */
  promptCache: z.array(CachePoint).max(2).optional(),
  systemPrompt: writtenText({ max: 32_000 }).default('You are a helpful assistant. Use the tools you are given. Remember what the user asks you to remember.'),
  tools: z
    .array(z.string().min(1).max(64))
    .max(64)
    .refine((names) => new Set(names).size === names.length, 'names a tool twice')
    .default(['remember', 'recall', 'current_time', 'calculator', 'http_request']),
  /** Other agents it may call, each a tool beside those above. */
  agents: z.array(CalledAgent).max(maxCalledAgents).optional(),
  maxStepsPerTurn: z.number().int().min(1).max(50).default(12),
  maxToolsPerStep: z.number().int().min(1).max(16).default(8),
  maxOutputTokens: z.number().int().min(1).max(64_000).default(1_024),
  /** Turns of history the model is shown. */
  historyTurns: z.number().int().min(1).max(100).default(30),
  maxTurnSeconds: z.number().int().min(5).max(86_400).default(600),
  /** Origins (`https://host[:port]`) the HTTP tool may call. Empty: none. */
  allowedOrigins: z.array(z.url()).max(64).default([]),
  /** Those of them that tell a repetition by its Idempotency-Key: a call that changes something there is repeated when its answer was lost. */
  idempotentOrigins: z.array(z.url()).max(64).default([]),
  /** JSON Schema (2020-12) of what its turns answer with. Absent: words. */
  responseSchema: z.record(z.string(), z.json()).optional(),
  /** What it may spend, within what the tenant may. */
  budgets: Budgets.optional(),
  /** Which calls wait for a person. Absent: none. */
  approvals: ApprovalPolicy.optional(),
  approvalWebhook: ApprovalWebhook.optional(),
  memory: AgentMemory.optional(),
  /** How long a question to the user waits for its answer. Absent: a day. */
  questionSeconds: z.number().int().min(1).max(604_800).optional(),
});
export type AgentConfig = z.infer<typeof AgentConfig>;

/** As requests say it: a mistyped setting, left out in silence, would be an agent without it. What is kept may have been written by a newer version. */
export const AgentSettings = AgentConfig.strict();

export const Administrator = z.object({ email: z.email().max(254) });
export type Administrator = z.infer<typeof Administrator>;
