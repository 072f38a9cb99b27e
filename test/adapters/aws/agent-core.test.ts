import {
  BedrockAgentCoreControlClient,
  CreateGatewayCommand,
  GetAgentRuntimeCommand,
  GetAgentRuntimeEndpointCommand,
  GetGatewayCommand,
  GetGatewayRateLimitCommand,
  GetGatewayTargetCommand,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { clientDefaults } from '../../../src/adapters/aws/clients';
import { gatewayFinder, identityFinder } from '../../../src/adapters/aws/inventory/agent-core';
import { createTenantGateways } from '../../../src/adapters/aws/tenant-gateways';
import { createTenantIdentities } from '../../../src/adapters/aws/tenant-identities';
import { createTenantRuntimes } from '../../../src/adapters/aws/tenant-runtimes';
import { agentCoreNames, operationIds, tenantResources } from '../../../src/contracts/names';
import type { TenantInfrastructure } from '../../../src/contracts/tenant';
import type { Waiting } from '../../../src/ports/provisioning';
import { type AgentCoreControl, startAgentCoreControl } from '../../support/agentcore-control';
import { type Moto, startMoto } from '../../support/moto';

/** Installs moto when it runs for the first time. */

const region = 'us-east-1';
const waiting: Waiting = { signal: new AbortController().signal, beat: () => undefined };
const infrastructure: TenantInfrastructure = {
  userPoolId: 'us-east-1_AbCdEf123',
  userPoolClientId: '1example23456789',
  keyArn: 'arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab',
  roleArn: 'arn:aws:iam::123456789012:role/tenant-acme-access',
  tableName: 'tenant-acme-data',
  bucketName: 'tenant-acme-data-bucket',
};
/** The second client is current, the first gives way to it. */
const rotating: TenantInfrastructure = { ...infrastructure, userPoolClientId: '2example23456789', retiringUserPoolClientId: infrastructure.userPoolClientId };
const rotated: TenantInfrastructure = { ...infrastructure, userPoolClientId: '2example23456789' };
const rate = { requestsPerMinute: 100, burst: 20 };

let moto: Moto;
let control: AgentCoreControl;
let client: BedrockAgentCoreControlClient;
let count = 0;
/** Ids with all that a name may have to cope with: hyphens in a row, and at the end. */
const newPart = () => {
  const tenantId = `acme--${(count += 1)}-`;
  return { tenantId, operationId: operationIds.of('onboarding', tenantId, '0123456789abcdefghjkmnpqrs'), infrastructure };
};

beforeAll(async () => {
  moto = await startMoto();
  control = await startAgentCoreControl(moto);
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  client = new BedrockAgentCoreControlClient(clientDefaults({ region, endpoint: control.url, requestTimeoutMs: 20_000 }, credentials));
});
afterAll(async () => {
  client.destroy();
  await control.close();
  await moto.stop();
});

describe('a gateway', () => {
  const settings = { roleArn: 'arn:aws:iam::123456789012:role/tenure-gateways', apiUrl: 'https://api.example.com' };
  const gateways = () => createTenantGateways({ agentCoreControl: client, region, settings });
  const owned = (tenantId: string) => gatewayFinder({ agentCoreControl: client }).find(tenantId);

  it("checks tokens of the tenant's pool, passes them on to its API, and counts requests", async () => {
    const part = newPart();
    const gateway = await gateways().create({ ...part, rate }, waiting);
    const gatewayIdentifier = gateway?.gatewayId ?? '';
    expect(await client.send(new GetGatewayCommand({ gatewayIdentifier }))).toMatchObject({
      name: tenantResources(part.tenantId).gateway,
      authorizerType: 'AUTHENTICATE_ONLY',
      authorizerConfiguration: {
        customJWTAuthorizer: {
          discoveryUrl: 'https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbCdEf123/.well-known/openid-configuration',
          allowedClients: [infrastructure.userPoolClientId],
        },
      },
      kmsKeyArn: infrastructure.keyArn,
    });
    expect(await client.send(new GetGatewayTargetCommand({ gatewayIdentifier, targetId: gateway?.targetId }))).toMatchObject({
      name: 'agent-api',
      targetConfiguration: { http: { passthrough: { endpoint: `https://api.example.com/api/v1/tenant/${part.tenantId}`, protocolType: 'CUSTOM' } } },
      credentialProviderConfigurations: [{ credentialProviderType: 'JWT_PASSTHROUGH' }],
    });
    expect(await client.send(new GetGatewayRateLimitCommand({ gatewayIdentifier, rateLimitId: gateway?.rateLimitId }))).toMatchObject({
      entries: [{ dimensions: { targetName: 'agent-api' }, requests: [{ rate: 100, period: 'minute' }] }],
    });
    expect(gateway?.url).toMatch(/^https:\/\//);
  });

  it('is made once, however often it is asked for, and goes with all that is on it', async () => {
    const part = newPart();
    const first = await gateways().create({ ...part, rate }, waiting);
    expect(await gateways().create({ ...part, rate }, waiting)).toEqual(first);
    expect((await owned(part.tenantId)).map(({ type, state }) => [type, state])).toEqual([
      ['gateway', 'READY'],
      ['gateway-target', 'READY'],
      ['gateway-rate-limit', 'ACTIVE'],
    ]);
    await gateways().delete(part.tenantId, waiting);
    expect(await owned(part.tenantId)).toEqual([]);
    await expect(gateways().delete(part.tenantId, waiting)).resolves.toBeUndefined();
  });

  it('that was half made is completed, or deleted', async () => {
    const half = async () => {
      const part = newPart();
      const name = tenantResources(part.tenantId).gateway;
      await client.send(new CreateGatewayCommand({ name, roleArn: settings.roleArn, authorizerType: 'NONE' }));
      return part;
    };
    const [completed, deleted] = [await half(), await half()];
    await gateways().create({ ...completed, rate }, waiting);
    expect(await owned(completed.tenantId)).toHaveLength(3);
    expect(await gatewayFinder({ agentCoreControl: client }).tenantIds()).toEqual(expect.arrayContaining([completed.tenantId, deleted.tenantId]));
    await gateways().delete(deleted.tenantId, waiting);
    expect(await owned(deleted.tenantId)).toEqual([]);
  });

  it('takes a new rate when it is asked for again, and is not touched when nothing changed', async () => {
    const part = newPart();
    await gateways().create({ ...part, rate }, waiting);
    const before = control.calls.length;
    await gateways().create({ ...part, rate }, waiting);
    expect(control.calls.slice(before).filter((name) => /^(Create|Update)/.test(name))).toEqual([]);
    const changed = await gateways().create({ ...part, rate: { requestsPerMinute: 1_000, burst: 200 } }, waiting);
    const { entries } = await client.send(new GetGatewayRateLimitCommand({ gatewayIdentifier: changed?.gatewayId, rateLimitId: changed?.rateLimitId }));
    expect(entries?.[0]?.requests).toEqual([{ rate: 1_000, period: 'minute' }]);
  });

  it('takes another rate when it is switched off by now, too', async () => {
    const off = createTenantGateways({ agentCoreControl: client, region, settings: undefined });
    const part = newPart();
    const gateway = await gateways().create({ ...part, rate }, waiting);
    expect(await off.setRate({ ...part, rate: { requestsPerMinute: 300, burst: 60 } }, waiting)).toBe(true);
    const { entries } = await client.send(new GetGatewayRateLimitCommand({ gatewayIdentifier: gateway?.gatewayId, rateLimitId: gateway?.rateLimitId }));
    expect(entries?.[0]?.requests).toEqual([{ rate: 300, period: 'minute' }]);
    expect(await off.setRate({ ...newPart(), rate }, waiting)).toBe(false);
  });

  it('lets in the clients of a rotation, keeps all else, and is not touched when nothing changed', async () => {
    const part = newPart();
    const gateway = await gateways().create({ ...part, rate }, waiting);
    const described = async () => {
      const { authorizerConfiguration, updatedAt, ...rest } = await client.send(new GetGatewayCommand({ gatewayIdentifier: gateway?.gatewayId }));
      return { clients: authorizerConfiguration?.customJWTAuthorizer?.allowedClients, rest: { ...rest, $metadata: undefined }, updatedAt };
    };
    const { rest } = await described();
    for (const [now, clients] of [
      [rotating, ['2example23456789', '1example23456789']],
      [rotated, ['2example23456789']],
    ] as const) {
      expect(await gateways().accept({ ...part, infrastructure: now }, waiting)).toBe(true);
      expect(await described()).toMatchObject({ clients, rest });
      const before = control.calls.length;
      expect(await gateways().accept({ ...part, infrastructure: now }, waiting)).toBe(true);
      expect(control.calls.slice(before).filter((name) => name.startsWith('Update'))).toEqual([]);
    }
    expect(await gateways().accept(newPart(), waiting)).toBe(false);
  });

  it('is not made when it is switched off, and deleted all the same', async () => {
    const off = createTenantGateways({ agentCoreControl: client, region, settings: undefined });
    const part = newPart();
    await gateways().create({ ...part, rate }, waiting);
    await off.delete(part.tenantId, waiting);
    expect(await off.create({ ...part, rate }, waiting)).toBeUndefined();
    expect(await owned(part.tenantId)).toEqual([]);
  });

  it("is refused by AWS's model of the API when a setting is nothing it takes", async () => {
    const broken = createTenantGateways({ agentCoreControl: client, region, settings: { ...settings, roleArn: 'no role' } });
    await expect(broken.create({ ...newPart(), rate }, waiting)).rejects.toMatchObject({ name: 'ValidationException', message: expect.stringContaining('CreateGateway.roleArn') as string });
  });
});

describe('a runtime', () => {
  const settings = { image: '123456789012.dkr.ecr.us-east-1.amazonaws.com/agent:1', roleArn: 'arn:aws:iam::123456789012:role/tenure-runtimes', environment: { LOG: 'info' } };
  const runtimes = () => createTenantRuntimes({ agentCoreControl: client, region, settings });

  it('lets in the clients of a rotation at its endpoint, keeps all else, and is not touched when nothing changed', async () => {
    const part = { ...newPart(), tenantId: `acme-${(count += 1)}` };
    const agentRuntimeId = (await runtimes().create(part, waiting))?.runtimeId;
    const described = async () => {
      const runtime = await client.send(new GetAgentRuntimeCommand({ agentRuntimeId }));
      const endpoint = await client.send(new GetAgentRuntimeEndpointCommand({ agentRuntimeId, endpointName: agentCoreNames.endpoint }));
      const { agentRuntimeArtifact, roleArn, networkConfiguration, protocolConfiguration, requestHeaderConfiguration, environmentVariables } = runtime;
      return {
        clients: runtime.authorizerConfiguration?.customJWTAuthorizer?.allowedClients,
        rest: { agentRuntimeArtifact, roleArn, networkConfiguration, protocolConfiguration, requestHeaderConfiguration, environmentVariables },
        isServed: endpoint.targetVersion === runtime.agentRuntimeVersion,
      };
    };
    const { rest } = await described();
    for (const [now, clients] of [
      [rotating, ['2example23456789', '1example23456789']],
      [rotated, ['2example23456789']],
    ] as const) {
      expect(await runtimes().accept({ ...part, infrastructure: now }, waiting)).toBe(true);
      expect(await described()).toEqual({ clients, rest, isServed: true });
      const before = control.calls.length;
      expect(await runtimes().accept({ ...part, infrastructure: now }, waiting)).toBe(true);
      expect(control.calls.slice(before).filter((name) => name.startsWith('Update'))).toEqual([]);
    }
    expect(await runtimes().accept(newPart(), waiting)).toBe(false);
  });
});

describe('an identity', () => {
  const settings = { discoveryUrl: 'https://idp.example/.well-known/openid-configuration', clientId: 'agents', secretId: 'tenure/agents', secretKey: 'clientSecret' };
  const identities = () => createTenantIdentities({ agentCoreControl: client, settings });
  const finder = () => identityFinder({ agentCoreControl: client });

  it('is made once, however often it is asked for, and goes', async () => {
    const part = newPart();
    const first = await identities().create(part);
    expect(first).toEqual({ workloadIdentityArn: expect.stringContaining(tenantResources(part.tenantId).workloadIdentity) as string, credentialProviderArn: expect.stringContaining(tenantResources(part.tenantId).credentialProvider) as string });
    expect(await identities().create(part)).toEqual(first);
    expect((await finder().find(part.tenantId)).map(({ type }) => type)).toEqual(['workload-identity', 'credential-provider']);
    expect(await finder().tenantIds()).toContain(part.tenantId);
    await identities().delete(part.tenantId, waiting);
    expect(await finder().find(part.tenantId)).toEqual([]);
    await expect(identities().delete(part.tenantId, waiting)).resolves.toBeUndefined();
  });

  it('is not made when it is switched off, and deleted all the same', async () => {
    const off = createTenantIdentities({ agentCoreControl: client, settings: undefined });
    const part = newPart();
    await identities().create(part);
    await off.delete(part.tenantId, waiting);
    expect(await off.create(part)).toBeUndefined();
    expect(await finder().find(part.tenantId)).toEqual([]);
  });
});
