import { DescribeParametersCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { createAgentConfigs } from '../../../src/adapters/aws/agent-configs';
import { tenantResources } from '../../../src/contracts/names';
import { AgentConfig } from '../../../src/contracts/tenant';
import { access, aws, configs, standingPlatform, standingTenant } from './tenants';

let tenantId: string;
beforeAll(async () => {
  await standingPlatform();
  ({ tenantId } = await standingTenant());
});

/** Another process: it has read nothing yet. */
const stranger = () => createAgentConfigs({ access, ssm: aws.ssm });

it('is given back as it was put, at once, and is a SecureString under the key of the tenant', async () => {
  for (const systemPrompt of ['Be brief.', 'Be kind.']) {
    const config = AgentConfig.parse({ systemPrompt });
    await configs.put(tenantId, config);
    expect(await configs.get(tenantId)).toEqual(config);
    expect(await stranger().get(tenantId)).toEqual(config);
  }
  const { agentParameter, keyAlias } = tenantResources(tenantId);
  const { Parameters } = await aws.ssm.send(new DescribeParametersCommand({ ParameterFilters: [{ Key: 'Name', Values: [agentParameter] }] }));
  expect(Parameters).toEqual([expect.objectContaining({ Type: 'SecureString', KeyId: keyAlias })]);
});

it('is refused when it is larger than a parameter may be', async () => {
  const config = AgentConfig.parse({ systemPrompt: 'x'.repeat(9_000) });
  await expect(configs.put(tenantId, config)).rejects.toMatchObject({ code: 'config/invalid' });
});

describe('is never taken for an empty one, but unreadable, when', () => {
  it.each([
    ['garbage', 'it is no JSON'],
    ['[]', 'expected object'],
    ['{"tools":"all"}', 'tools: '],
    ['{"maxStepsPerTurn":0}', 'maxStepsPerTurn: '],
    ['{"approvalWebhook":{"url":"https://example.com","secret":"garbage"}}', 'approvalWebhook.secret: '],
  ])('it says %s: it is named, with what is wrong and not with what it says', async (Value, what) => {
    const { agentParameter: Name } = tenantResources(tenantId);
    await aws.ssm.send(new PutParameterCommand({ Name, Value, Type: 'SecureString', Overwrite: true }));
    const refused = (await stranger().get(tenantId).catch((error: unknown) => error)) as Error;
    expect(refused).toMatchObject({ code: 'config/unreadable', message: expect.stringContaining(`The parameter ${Name}, `) as unknown });
    expect(refused.message).toContain(what);
    expect(refused.message).not.toContain('garbage');
  });

  it('it is gone', async () => {
    for (let again = 0; again < 2; again++) await configs.delete(tenantId);
    await expect(configs.get(tenantId)).rejects.toMatchObject({ code: 'config/unreadable', message: expect.stringContaining('it is not there') as unknown });
  });
});
