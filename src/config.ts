import { z } from 'zod';
import { isAddressRange } from './adapters/http/egress-rules';
import { builtInContexts, ModelContexts } from './contracts/model-contexts';
import { builtInPrices, ModelPrices } from './contracts/prices';
import { TierChanges } from './contracts/tiers';
import { tiersWith } from './domain/tiers';

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'it is not JSON' });
    return z.NEVER;
  }
}

/** A JSON object of texts. */
const Environment = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      context.addIssue('must be a JSON object');
      return z.NEVER;
    }
  })
  .pipe(z.record(z.string(), z.string()));

/** Without a slash at the end. */
const HttpsUrl = z.url({ protocol: /^https$/ }).transform((url) => url.replace(/\/+$/, ''));

/** All that can be set. docs/settings.md tells of each; a test compares. */
export const Settings = z.object({
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  HOST: z.string().default('0.0.0.0').describe('address the API listens on'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000).describe('port of the API; 0 picks a free one'),
  MAX_BODY_BYTES: z.coerce.number().int().min(1_024).max(10_485_760).default(262_144),
  ANSWER_TIMEOUT_MS: z.coerce.number().int().min(1_000).max(600_000).default(55_000).describe('how long a caller who wants the answer at once waits for it'),
  METRICS_INTERVAL_MS: z.coerce.number().int().min(10).max(600_000).default(60_000).describe('how often the API publishes what it counted of the requests'),
  TRUSTED_PROXIES: z.coerce.number().int().min(0).max(10).default(0).describe('proxies in front of the API: so many entries of X-Forwarded-For are believed'),
  PUBLIC_REQUESTS_PER_MINUTE: z.coerce.number().int().min(1).max(1_000_000).default(600).describe('requests without a token, of one address'),
  REFUSED_CREDENTIALS_PER_MINUTE: z.coerce.number().int().min(1).max(1_000_000).default(60).describe('tokens and keys of one address that may be refused before the refusal becomes a 429; of one tenant, ten times as many'),
  ACCESS_CACHE_MS: z.coerce.number().int().min(0).max(10_000).default(1_000).describe('age at which a request hears anew who was signed out, disabled or given another role, and which API keys and machine clients were revoked'),
  AUDIT_INTERVAL_MS: z.coerce.number().int().min(10).max(600_000).default(5_000).describe('how often the API writes down what it counted of denied requests'),
  TENANT_CACHE_MS: z.coerce.number().int().min(0).max(60_000).default(1_000).describe('age at which a registry answer is read anew'),
  RECONCILE_MS: z.coerce.number().int().min(100).max(60_000).default(1_000).describe('how often the worker looks for new and leaving tenants'),
  TENANTS_PER_WORKER: z.coerce.number().int().min(1).max(100_000).default(250).describe('how many tenants a worker process serves before processes share them; every tenant keeps two'),
  TIERS: z
    .string()
    .default('{}')
    .transform(parseJson)
    .pipe(TierChanges)
    .describe('tiers to add or change, as JSON: {"gold": {"activitySlots": 200, "rate": {"requestsPerMinute": 5000, "burst": 500}}}'),
  MODEL_PRICES: z
    .string()
    .default('{}')
    .transform(parseJson)
    .pipe(ModelPrices)
    .describe('prices of models to add or change, as JSON, in millionths of a dollar for a million tokens: {"anthropic.*": {"inputMicroUsdPerMillion": 3000000, "outputMicroUsdPerMillion": 15000000}}'),
  MODEL_CONTEXTS: z
    .string()
    .default('{}')
    .transform(parseJson)
    .pipe(ModelContexts)
    .describe('how many tokens models can read, to add or change, as JSON, and from which part of that on what is older is summarised: {"amazon.nova-*": {"tokens": 300000, "compactAt": 0.8}}'),
  KEY_ROTATION: z
    .enum(['on-demand', 'data-keys'])
    .default('on-demand')
    .describe('what rotating a key does: new key material by KMS, or new data keys alone where KMS cannot (an emulator)'),
  MAINTENANCE_SLOTS: z.coerce.number().int().min(1).max(1_000).default(10).describe('activities of the maintenance one worker runs at once, over all tenants'),
  EGRESS_PRIVATE_ADDRESSES: z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((part) => part.trim() || []))
    .pipe(z.array(z.string().refine(isAddressRange, 'is no address or range, such as 10.1.2.3 or 10.0.0.0/8')))
    .describe('addresses and ranges, with commas between, that agents\' tools may call although they are not public; metadata addresses stay closed'),
  SESSION_IDLE_DAYS: z.coerce.number().min(0).max(3_650).default(30).describe('a session without an event for longer is closed by the maintenance'),
  ISOLATION_PROBE_API_URL: z.url().optional().describe('where the isolation probe reaches the API; without it, the API is not tried'),
  ISOLATION_PROBE_SUSPENDS: z.stringbool().default(false).describe('whether a tenant that got at another is suspended at once'),
  WORKFLOW_BUNDLE: z.string().optional().describe('path of the prebuilt workflow bundle; found beside the worker when absent'),
  OPERATOR_EMAIL: z.email().optional().describe('of the first operator: bootstrap makes the account, or gives it this password again'),
  OPERATOR_PASSWORD: z.string().min(14).optional(),
  TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  TEMPORAL_API_KEY: z.string().optional().describe('for Temporal Cloud; turns TLS on'),
  TEMPORAL_UI_URL: z.url().optional(),
  TEMPORAL_DEPLOYMENT_NAME: z.string().min(1).default('tenure').describe('what Temporal knows all versions of the worker by'),
  TEMPORAL_WORKER_BUILD_ID: z.string().min(1).optional().describe("this version of the worker, such as a commit's id: Temporal gives it workflows once it was made the current one; without it, at once"),
  VALKEY_URL: z.string().default('redis://127.0.0.1:6379'),
  AGENT_RUNTIME_IMAGE: z.string().optional().describe('container image (ECR URI) of the agent; gives each tenant an AgentCore runtime'),
  AGENT_RUNTIME_ROLE_ARN: z.string().optional().describe('role the runtimes run with'),
  AGENT_RUNTIME_ENVIRONMENT: Environment.optional().describe('what the agent in the container reads, as a JSON object of texts; TENANT_ID is added'),
  AGENT_GATEWAY_ROLE_ARN: z.string().optional().describe('role the gateways act with; gives each tenant an AgentCore gateway'),
  AGENT_GATEWAY_API_URL: HttpsUrl.optional().describe('where AWS reaches this API'),
  AGENT_IDENTITY_DISCOVERY_URL: HttpsUrl.optional().describe('OpenID configuration of the server agents get tokens from; gives each tenant an identity'),
  AGENT_IDENTITY_CLIENT_ID: z.string().optional().describe('OAuth2 client of the agents at that server'),
  AGENT_IDENTITY_SECRET_ID: z.string().optional().describe('secret in Secrets Manager that holds the client secret: AgentCore reads it, Tenure never does'),
  AGENT_IDENTITY_SECRET_KEY: z.string().default('clientSecret').describe('key of the client secret in that secret, which is a JSON object'),
  SCALING_SERVICE: z
    .string()
    .regex(/^service\/[^/]+\/[^/]+$/, 'must be service/{cluster}/{service}')
    .optional()
    .describe('the ECS service of the workers; gives each tenant a scaling policy on it'),
  SCALING_MIN_WORKERS: z.coerce.number().int().min(1).default(1).describe('without any worker nobody measures what waits'),
  SCALING_MAX_WORKERS: z.coerce.number().int().min(1).default(10),
  SCALING_BACKLOG: z.coerce.number().min(1).default(20).describe("tasks that may wait on one tenant's queue before the workers become more"),
  ALARM_TOPIC_ARN: z.string().optional().describe('SNS topic that hears of the alarms, of tenants and of the platform'),
  AWS_REGION: z.string().default('us-east-1'),
  AWS_ENDPOINT_URL: z.url().optional().describe('an AWS emulator instead of AWS; the SDK reads it too'),
  AWS_ENDPOINT_URL_BEDROCK_RUNTIME: z.url().optional().describe('a model server instead of Bedrock; the SDK reads it too'),
});

/** What makes sense together only. */
const companions = [
  ['AGENT_RUNTIME_IMAGE', 'AGENT_RUNTIME_ROLE_ARN'],
  ['AGENT_GATEWAY_ROLE_ARN', 'AGENT_GATEWAY_API_URL'],
  ['AGENT_IDENTITY_DISCOVERY_URL', 'AGENT_IDENTITY_CLIENT_ID', 'AGENT_IDENTITY_SECRET_ID'],
  ['OPERATOR_EMAIL', 'OPERATOR_PASSWORD'],
] as const satisfies readonly (readonly (keyof z.infer<typeof Settings>)[])[];

const Env = Settings.superRefine((value, context) => {
  for (const names of companions) {
    const missing = names.filter((name) => value[name] === undefined);
    if (missing.length === names.length) continue;
    for (const name of missing) context.addIssue({ code: 'custom', path: [name], message: `is needed with ${names.filter((other) => other !== name).join(' and ')}` });
  }
  if (value.SCALING_MIN_WORKERS > value.SCALING_MAX_WORKERS)
    context.addIssue({ code: 'custom', path: ['SCALING_MIN_WORKERS'], message: 'is more than SCALING_MAX_WORKERS' });
});

/** With what may be cached, and the second a quiet stream waits, a stream ends within 5 s of what ends it. */
const streamCheckMs = 3_000;

/** Without variables of nothing: compose files and shells hand on what is not set as an empty text, which as a number is 0. */
export const settingsIn = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => Object.fromEntries(Object.entries(env).filter(([, text]) => text?.trim() !== ''));

/** Reads the environment once, at start-up; says everything that is wrong, then stops. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env) {
  const parsed = Env.safeParse(settingsIn(env));
  if (!parsed.success) throw new Error(`Bad configuration\n${z.prettifyError(parsed.error)}`);
  const value = parsed.data;
  return {
    logLevel: value.LOG_LEVEL,
    api: {
      host: value.HOST,
      port: value.PORT,
      maxBodyBytes: value.MAX_BODY_BYTES,
      answerTimeoutMs: value.ANSWER_TIMEOUT_MS,
      metricsIntervalMs: value.METRICS_INTERVAL_MS,
      trustedProxies: value.TRUSTED_PROXIES,
      failuresPerMinute: value.REFUSED_CREDENTIALS_PER_MINUTE,
      publicRate: { requestsPerMinute: value.PUBLIC_REQUESTS_PER_MINUTE, burst: Math.ceil(value.PUBLIC_REQUESTS_PER_MINUTE / 5) },
      streamCheckMs,
      auditIntervalMs: value.AUDIT_INTERVAL_MS,
    },
    worker: {
      reconcileMs: value.RECONCILE_MS,
      tenantsPerWorker: value.TENANTS_PER_WORKER,
      maintenanceSlots: value.MAINTENANCE_SLOTS,
      workflowBundle: value.WORKFLOW_BUNDLE,
      version: value.TEMPORAL_WORKER_BUILD_ID === undefined ? undefined : { deploymentName: value.TEMPORAL_DEPLOYMENT_NAME, buildId: value.TEMPORAL_WORKER_BUILD_ID },
    },
    maintenance: { sessionIdleMs: value.SESSION_IDLE_DAYS * 86_400_000 },
    egressPrivateAddresses: value.EGRESS_PRIVATE_ADDRESSES,
    isolationProbe: { apiUrl: value.ISOLATION_PROBE_API_URL, suspends: value.ISOLATION_PROBE_SUSPENDS },
    tenantCacheMs: value.TENANT_CACHE_MS,
    accessCacheMs: value.ACCESS_CACHE_MS,
    tiers: tiersWith(value.TIERS),
    prices: { ...builtInPrices, ...value.MODEL_PRICES },
    contexts: { ...builtInContexts, ...value.MODEL_CONTEXTS },
    keyRotation: value.KEY_ROTATION,
    firstOperator: value.OPERATOR_EMAIL !== undefined && value.OPERATOR_PASSWORD !== undefined ? { email: value.OPERATOR_EMAIL, password: value.OPERATOR_PASSWORD } : undefined,
    temporal: {
      address: value.TEMPORAL_ADDRESS,
      namespace: value.TEMPORAL_NAMESPACE,
      apiKey: value.TEMPORAL_API_KEY,
      uiUrl: value.TEMPORAL_UI_URL,
    },
    valkey: { url: value.VALKEY_URL },
    tenantParts: tenantPartsOf(value),
    aws: {
      region: value.AWS_REGION,
      endpoint: value.AWS_ENDPOINT_URL,
      bedrockEndpoint: value.AWS_ENDPOINT_URL_BEDROCK_RUNTIME,
      services: servicesOf(value),
    },
  } as const;
}

/** What a tenant is given beside its stack and its memory; a part that is undefined is switched off. */
const tenantPartsOf = (value: z.infer<typeof Env>) =>
  ({
    runtime:
      value.AGENT_RUNTIME_IMAGE !== undefined && value.AGENT_RUNTIME_ROLE_ARN !== undefined
        ? { image: value.AGENT_RUNTIME_IMAGE, roleArn: value.AGENT_RUNTIME_ROLE_ARN, environment: value.AGENT_RUNTIME_ENVIRONMENT ?? {} }
        : undefined,
    gateway:
      value.AGENT_GATEWAY_ROLE_ARN !== undefined && value.AGENT_GATEWAY_API_URL !== undefined
        ? { roleArn: value.AGENT_GATEWAY_ROLE_ARN, apiUrl: value.AGENT_GATEWAY_API_URL }
        : undefined,
    identity:
      value.AGENT_IDENTITY_DISCOVERY_URL !== undefined && value.AGENT_IDENTITY_CLIENT_ID !== undefined && value.AGENT_IDENTITY_SECRET_ID !== undefined
        ? {
            discoveryUrl: value.AGENT_IDENTITY_DISCOVERY_URL,
            clientId: value.AGENT_IDENTITY_CLIENT_ID,
            secretId: value.AGENT_IDENTITY_SECRET_ID,
            secretKey: value.AGENT_IDENTITY_SECRET_KEY,
          }
        : undefined,
    scaling:
      value.SCALING_SERVICE !== undefined
        ? { service: value.SCALING_SERVICE, minWorkers: value.SCALING_MIN_WORKERS, maxWorkers: value.SCALING_MAX_WORKERS, backlog: value.SCALING_BACKLOG }
        : undefined,
    alarmTopicArn: value.ALARM_TOPIC_ARN,
  }) as const;

/** AWS has them all, used or not: what a tenant was given before a setting was taken away is still found there. */
const servicesOf = (value: z.infer<typeof Env>) => {
  const { gateway, identity, scaling } = tenantPartsOf(value);
  const isAws = value.AWS_ENDPOINT_URL === undefined;
  return { gateway: isAws || gateway !== undefined, identity: isAws || identity !== undefined, scaling: isAws || scaling !== undefined };
};

export type Config = ReturnType<typeof loadConfig>;
