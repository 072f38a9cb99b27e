import { z } from 'zod';

const Env = z.object({
  NODE_ENV: z.string().default('production'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  HOST: z.string().default('0.0.0.0').describe('address the API listens on'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000).describe('port of the API; 0 picks a free one'),
  MAX_BODY_BYTES: z.coerce.number().int().min(1_024).max(10_485_760).default(262_144),
  ANSWER_TIMEOUT_MS: z.coerce.number().int().min(1_000).max(600_000).default(55_000).describe('how long a caller who wants the answer at once waits for it'),
  TENANT_CACHE_MS: z.coerce.number().int().min(0).max(60_000).default(1_000).describe('age at which a registry answer is read anew'),
  RECONCILE_MS: z.coerce.number().int().min(100).max(60_000).default(1_000).describe('how often the worker looks for new and leaving tenants'),
  TENANT_SLOTS: z.coerce.number().int().min(1).max(1_000).default(50).describe('activities one tenant may run at once in one worker'),
  MAINTENANCE_SLOTS: z.coerce.number().int().min(1).max(1_000).default(10).describe('activities of the maintenance one worker runs at once, over all tenants'),
  SESSION_IDLE_DAYS: z.coerce.number().min(0).max(3_650).default(30).describe('a session without an event for longer is closed by the maintenance'),
  WORKFLOW_BUNDLE: z.string().optional().describe('path of the prebuilt workflow bundle; found beside the worker when absent'),
  TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  TEMPORAL_API_KEY: z.string().optional().describe('for Temporal Cloud; turns TLS on'),
  TEMPORAL_UI_URL: z.url().optional(),
  VALKEY_URL: z.string().default('redis://127.0.0.1:6379'),
  AWS_REGION: z.string().default('us-east-1'),
  AWS_ENDPOINT_URL: z.url().optional().describe('an AWS emulator instead of AWS; the SDK reads it too'),
  AWS_ENDPOINT_URL_BEDROCK_RUNTIME: z.url().optional().describe('a model server instead of Bedrock; the SDK reads it too'),
});

/** Reads the environment once, at start-up; says everything that is wrong, then stops. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env) {
  const parsed = Env.safeParse(env);
  if (!parsed.success) throw new Error(`Bad configuration\n${z.prettifyError(parsed.error)}`);
  const value = parsed.data;
  return {
    logLevel: value.LOG_LEVEL,
    api: {
      host: value.HOST,
      port: value.PORT,
      maxBodyBytes: value.MAX_BODY_BYTES,
      answerTimeoutMs: value.ANSWER_TIMEOUT_MS,
    },
    worker: {
      reconcileMs: value.RECONCILE_MS,
      tenantSlots: value.TENANT_SLOTS,
      maintenanceSlots: value.MAINTENANCE_SLOTS,
      workflowBundle: value.WORKFLOW_BUNDLE,
    },
    maintenance: { sessionIdleMs: value.SESSION_IDLE_DAYS * 86_400_000 },
    tenantCacheMs: value.TENANT_CACHE_MS,
    temporal: {
      address: value.TEMPORAL_ADDRESS,
      namespace: value.TEMPORAL_NAMESPACE,
      apiKey: value.TEMPORAL_API_KEY,
      uiUrl: value.TEMPORAL_UI_URL,
    },
    valkey: { url: value.VALKEY_URL },
    aws: {
      region: value.AWS_REGION,
      endpoint: value.AWS_ENDPOINT_URL,
      bedrockEndpoint: value.AWS_ENDPOINT_URL_BEDROCK_RUNTIME,
    },
  } as const;
}

export type Config = ReturnType<typeof loadConfig>;
