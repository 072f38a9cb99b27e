import { readFile } from 'node:fs/promises';
import { loadConfig, Settings } from '../../src/config';

describe('what tenants are given', () => {
  it('is nothing more than a memory, unless the settings say so', () => {
    const { tenantParts } = loadConfig({});
    expect(Object.values(tenantParts).filter((part) => part !== undefined)).toEqual([]);
  });

  it('is read from settings that belong together', () => {
    const { tenantParts } = loadConfig({
      AGENT_RUNTIME_IMAGE: 'registry/agent:1',
      AGENT_RUNTIME_ROLE_ARN: 'arn:role/runtime',
      AGENT_RUNTIME_ENVIRONMENT: '{"PORT":"8080"}',
      AGENT_GATEWAY_ROLE_ARN: 'arn:role/gateway',
      AGENT_GATEWAY_API_URL: 'https://api.example.com/',
      AGENT_IDENTITY_DISCOVERY_URL: 'https://idp.example.com/.well-known/openid-configuration',
      AGENT_IDENTITY_CLIENT_ID: 'agents',
      AGENT_IDENTITY_SECRET_ID: 'tenure/agents',
      SCALING_SERVICE: 'service/tenure/workers',
    });
    expect(tenantParts).toEqual({
      runtime: { image: 'registry/agent:1', roleArn: 'arn:role/runtime', environment: { PORT: '8080' } },
      gateway: { roleArn: 'arn:role/gateway', apiUrl: 'https://api.example.com' },
      identity: { discoveryUrl: 'https://idp.example.com/.well-known/openid-configuration', clientId: 'agents', secretId: 'tenure/agents', secretKey: 'clientSecret' },
      scaling: { service: 'service/tenure/workers', minWorkers: 1, maxWorkers: 10, backlog: 20 },
      alarmTopicArn: undefined,
    });
  });

  it.each([
    [{ AGENT_RUNTIME_IMAGE: 'a' }, /is needed with AGENT_RUNTIME_IMAGE[\s\S]*AGENT_RUNTIME_ROLE_ARN/],
    [{ AGENT_GATEWAY_API_URL: 'https://a.example' }, /is needed with AGENT_GATEWAY_API_URL[\s\S]*AGENT_GATEWAY_ROLE_ARN/],
    [{ AGENT_IDENTITY_CLIENT_ID: 'a' }, /AGENT_IDENTITY_SECRET_ID/],
    [{ AGENT_GATEWAY_API_URL: 'http://a.example', AGENT_GATEWAY_ROLE_ARN: 'a' }, /AGENT_GATEWAY_API_URL/],
    [{ AGENT_RUNTIME_ENVIRONMENT: '{"PORT":8080}' }, /AGENT_RUNTIME_ENVIRONMENT/],
    [{ AGENT_RUNTIME_ENVIRONMENT: 'PORT=8080' }, /must be a JSON object/],
    [{ SCALING_SERVICE: 'workers' }, /service\/\{cluster\}\/\{service\}/],
    [{ OPERATOR_EMAIL: 'ops@example.com' }, /is needed with OPERATOR_EMAIL[\s\S]*OPERATOR_PASSWORD/],
    [{ SCALING_MIN_WORKERS: '11' }, /SCALING_MIN_WORKERS/],
    [{ SCALING_MIN_WORKERS: '0' }, /SCALING_MIN_WORKERS/],
  ])('refuses %j, and says what is wrong', (env, message) => {
    expect(() => loadConfig(env)).toThrow(message);
  });

  it('is looked for in all of AWS, but only in what an emulator is said to have', () => {
    expect(loadConfig({}).aws.services).toEqual({ gateway: true, identity: true, scaling: true });
    const AWS_ENDPOINT_URL = 'http://127.0.0.1:4566';
    expect(loadConfig({ AWS_ENDPOINT_URL }).aws.services).toEqual({ gateway: false, identity: false, scaling: false });
    expect(loadConfig({ AWS_ENDPOINT_URL, SCALING_SERVICE: 'service/a/b' }).aws.services).toMatchObject({ scaling: true });
  });
});

it('takes a variable that is set to nothing as one that is not set', () => {
  const names = ['SESSION_IDLE_DAYS', 'PORT', 'ACCESS_CACHE_MS', 'TIERS', 'TEMPORAL_API_KEY', 'AGENT_RUNTIME_IMAGE', 'AGENT_RUNTIME_ROLE_ARN', 'ALARM_TOPIC_ARN', 'AWS_ENDPOINT_URL'];
  for (const nothing of ['', ' ']) expect(loadConfig(Object.fromEntries(names.map((name) => [name, nothing])))).toEqual(loadConfig({}));
});

it('every setting is in docs/settings.md with its default, and no other', async () => {
  const page = await readFile('docs/settings.md', 'utf8');
  const documented = [...page.matchAll(/^\| `([A-Z_]+)` \| ([^|]*?) ?\| [AWB ]+ \|/gm)].map(([, name, value]) => `${name}=${value}`);
  const defaults: Readonly<Record<string, unknown>> = Settings.parse({});
  const inWords = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '');
  expect(documented.sort()).toEqual(Object.keys(Settings.shape).map((name) => `${name}=${inWords(defaults[name])}`).sort());
});
