import { ApplicationAutoScalingClient, DescribeScalableTargetsCommand, DescribeScalingPoliciesCommand } from '@aws-sdk/client-application-auto-scaling';
import { clientDefaults } from '../../../src/adapters/aws/clients';
import { scalingFinder } from '../../../src/adapters/aws/inventory/agent-core';
import { createTenantScalings } from '../../../src/adapters/aws/tenant-scalings';
import { tenantResources } from '../../../src/contracts/names';
import { type Moto, startMoto } from '../../support/moto';

/** Installs moto when it runs for the first time. */

const region = 'us-east-1';
const settings = { service: 'service/tenure/workers', minWorkers: 2, maxWorkers: 8, backlog: 20 };
let moto: Moto;
let client: ApplicationAutoScalingClient;

beforeAll(async () => {
  moto = await startMoto();
  client = new ApplicationAutoScalingClient(clientDefaults({ region, endpoint: moto.url, requestTimeoutMs: 20_000 }, { accessKeyId: 'test', secretAccessKey: 'test' }));
  await ecs('CreateCluster', { clusterName: 'tenure' });
  await ecs('RegisterTaskDefinition', { family: 'workers', containerDefinitions: [{ name: 'worker', image: 'tenure', memory: 512 }] });
  await ecs('CreateService', { cluster: 'tenure', serviceName: 'workers', taskDefinition: 'workers', desiredCount: 2 });
});
afterAll(async () => {
  client.destroy();
  await moto.stop();
});

/** The fleet that the policies are about: Tenure itself never makes one. */
async function ecs(action: string, body: object): Promise<void> {
  const headers = {
    'x-amz-target': `AmazonEC2ContainerServiceV20141113.${action}`,
    'content-type': 'application/x-amz-json-1.1',
    authorization: `AWS4-HMAC-SHA256 Credential=test/20260101/${region}/ecs/aws4_request, SignedHeaders=host, Signature=0`,
  };
  const response = await fetch(moto.url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(await response.text());
}

const scalings = () => createTenantScalings({ applicationAutoScaling: client, settings });
const policies = async () => (await client.send(new DescribeScalingPoliciesCommand({ ServiceNamespace: 'ecs' }))).ScalingPolicies ?? [];
const find = (tenantId: string) => scalingFinder({ applicationAutoScaling: client }).find(tenantId);

it("makes the fleet follow a tenant's backlog", async () => {
  const scaling = await scalings().create('acme');
  expect(await policies()).toMatchObject([
    {
      PolicyName: tenantResources('acme').scalingPolicy,
      PolicyARN: scaling?.policyArn,
      ResourceId: settings.service,
      ScalableDimension: 'ecs:service:DesiredCount',
      TargetTrackingScalingPolicyConfiguration: {
        TargetValue: 20,
        CustomizedMetricSpecification: { Namespace: 'MultiTenantAgent', MetricName: 'TaskQueueBacklog', Dimensions: [{ Name: 'TenantId', Value: 'acme' }] },
      },
    },
  ]);
  const { ScalableTargets } = await client.send(new DescribeScalableTargetsCommand({ ServiceNamespace: 'ecs' }));
  expect(ScalableTargets).toMatchObject([{ ResourceId: settings.service, MinCapacity: 2, MaxCapacity: 8 }]);
});

it('is made once, however often it is asked for; it goes, and leaves the fleet and the policies of others', async () => {
  for (let again = 0; again < 2; again++) expect(await scalings().create('globex')).toMatchObject({ resourceId: settings.service });
  expect(await find('globex')).toEqual([{ service: 'application-autoscaling', type: 'scaling-policy', name: 'tenant-globex-backlog on service/tenure/workers' }]);
  expect(await scalingFinder({ applicationAutoScaling: client }).tenantIds()).toEqual(['acme', 'globex']);
  for (let again = 0; again < 2; again++) await scalings().delete('globex');
  expect(await find('globex')).toEqual([]);
  expect(await find('acme')).toHaveLength(1);
  expect((await client.send(new DescribeScalableTargetsCommand({ ServiceNamespace: 'ecs' }))).ScalableTargets).toHaveLength(1);
});

it('is not made when it is switched off, and deleted all the same', async () => {
  const off = createTenantScalings({ applicationAutoScaling: client, settings: undefined });
  await scalings().create('initech');
  await off.delete('initech');
  expect(await off.create('initech')).toBeUndefined();
  expect(await find('initech')).toEqual([]);
});

it('says that the fleet is not there', async () => {
  const lost = createTenantScalings({ applicationAutoScaling: client, settings: { ...settings, service: 'service/tenure/nobody' } });
  await expect(lost.create('acme')).rejects.toThrow(/ECS service doesn't exist/);
});
