import { DescribeStacksCommand, paginateListStacks, StackStatus } from '@aws-sdk/client-cloudformation';
import { DescribeAlarmsCommand, paginateDescribeAlarms } from '@aws-sdk/client-cloudwatch';
import { DescribeLogGroupsCommand, paginateDescribeLogGroups } from '@aws-sdk/client-cloudwatch-logs';
import {
  DescribeUserPoolCommand,
  paginateListGroups,
  paginateListUserPoolClients,
  paginateListUserPools,
} from '@aws-sdk/client-cognito-identity-provider';
import { GetRoleCommand, paginateListAttachedRolePolicies, paginateListRolePolicies, paginateListRoles } from '@aws-sdk/client-iam';
import { DescribeKeyCommand, type KeyMetadata, paginateListAliases } from '@aws-sdk/client-kms';
import { paginateGetResources, type ResourceTagMapping } from '@aws-sdk/client-resource-groups-tagging-api';
import { tenantAlarms, tenantIdPattern, tenantResources, tenantTag } from '../../../contracts/names';
import { inParallel } from '../../../domain/in-parallel';
import type { ResourceFinder } from '../../../ports/tenant-inventory';
import type { PlatformClients } from '../clients';
import { ifThere } from '../failures';
import { allOf, checksOf, resource, tenantsOf } from './finding';

export const stackFinder = ({ cloudFormation }: PlatformClients): ResourceFinder => ({
  checks: checksOf('cloudformation', { stack: 'DescribeStacks' }),
  async find(tenantId) {
    const found = await ifThere(cloudFormation.send(new DescribeStacksCommand({ StackName: tenantResources(tenantId).stack })));
    return (found?.Stacks ?? []).map(({ StackName = '', StackStatus: status }) => resource('cloudformation', 'stack', StackName, status));
  },
  async tenantIds() {
    const living = Object.values(StackStatus).filter((status) => status !== 'DELETE_COMPLETE');
    const stacks = await allOf(paginateListStacks({ client: cloudFormation }, { StackStatusFilter: living }), (page) => page.StackSummaries);
    return tenantsOf('stack', stacks.map(({ StackName }) => StackName));
  },
});

/** Pools are told apart by their names; two may bear the same one. */
export function userPoolFinder({ cognito: client }: PlatformClients): ResourceFinder {
  const pools = () => allOf(paginateListUserPools({ client, pageSize: 60 }, { MaxResults: 60 }), ({ UserPools }) => UserPools);

  async function within(UserPoolId: string, poolName: string) {
    const [pool, clients, groups] = await Promise.all([
      ifThere(client.send(new DescribeUserPoolCommand({ UserPoolId }))),
      ifThere(allOf(paginateListUserPoolClients({ client, pageSize: 60 }, { UserPoolId }), ({ UserPoolClients }) => UserPoolClients)),
      ifThere(allOf(paginateListGroups({ client, pageSize: 60 }, { UserPoolId }), ({ Groups }) => Groups)),
    ]);
    const users = pool?.UserPool?.EstimatedNumberOfUsers ?? 0;
    return [
      resource('cognito', 'user-pool', poolName),
      ...(clients ?? []).map(({ ClientName = '' }) => resource('cognito', 'user-pool-client', ClientName)),
      ...(groups ?? []).map(({ GroupName = '' }) => resource('cognito', 'group', GroupName)),
      ...(users > 0 ? [resource('cognito', 'users', poolName, String(users))] : []),
    ];
  }

  return {
    checks: checksOf('cognito', {
      'user-pool': 'ListUserPools',
      'user-pool-client': 'ListUserPools, ListUserPoolClients',
      group: 'ListUserPools, ListGroups',
      users: 'ListUserPools, DescribeUserPool',
    }),
    async find(tenantId) {
      const { userPool } = tenantResources(tenantId);
      const named = (await pools()).filter(({ Name }) => Name === userPool);
      return (await Promise.all(named.map(({ Id = '' }) => within(Id, userPool)))).flat();
    },
    tenantIds: async () => tenantsOf('userPool', (await pools()).map(({ Name }) => Name)),
  };
}

/** Of all tenants there are thousands: whoever works meanwhile needs KMS, too. */
const keysAtOnce = 10;

/** Of a tenant, by its tag, whatever became of the alias. Those pending deletion are among them. */
export async function taggedKeys({ kms, tagging }: Pick<PlatformClients, 'kms' | 'tagging'>, tenantId?: string): Promise<{ tenantId: string; key: KeyMetadata }[]> {
  const TagFilters = [{ Key: tenantTag, ...(tenantId !== undefined && { Values: [tenantId] }) }];
  const tagged = await allOf(paginateGetResources({ client: tagging }, { ResourceTypeFilters: ['kms:key'], TagFilters }), (page) => page.ResourceTagMappingList);
  const look = async ({ ResourceARN, Tags }: ResourceTagMapping) => {
    const key = (await ifThere(kms.send(new DescribeKeyCommand({ KeyId: ResourceARN }))))?.KeyMetadata;
    return key ? [{ tenantId: Tags?.find(({ Key }) => Key === tenantTag)?.Value ?? '', key }] : [];
  };
  return (await inParallel(tagged, keysAtOnce, look)).flat();
}

export function keyFinder(aws: PlatformClients): ResourceFinder {
  const aliases = () => allOf(paginateListAliases({ client: aws.kms }, { Limit: 100 }), ({ Aliases }) => Aliases);
  return {
    checks: checksOf('kms', { alias: 'DescribeKey by alias', key: 'DescribeKey by alias, GetResources by tag' }),
    async find(tenantId) {
      const KeyId = tenantResources(tenantId).keyAlias;
      const [byAlias, tagged] = await Promise.all([ifThere(aws.kms.send(new DescribeKeyCommand({ KeyId }))), taggedKeys(aws, tenantId)]);
      const keys = new Map([...tagged.map(({ key }) => key), ...(byAlias?.KeyMetadata ? [byAlias.KeyMetadata] : [])].map((key) => [key.Arn ?? '', key.KeyState]));
      return [...(byAlias ? [resource('kms', 'alias', KeyId)] : []), ...[...keys].map(([arn, state]) => resource('kms', 'key', arn, state))];
    },
    async tenantIds() {
      const [named, tagged] = await Promise.all([aliases(), taggedKeys(aws)]);
      const living = tagged.filter(({ tenantId, key }) => tenantIdPattern.test(tenantId) && !key.DeletionDate);
      return [...tenantsOf('keyAlias', named.map(({ AliasName }) => AliasName)), ...living.map(({ tenantId }) => tenantId)];
    },
  };
}

export const roleFinder = ({ iam: client }: PlatformClients): ResourceFinder => ({
  checks: checksOf('iam', { role: 'GetRole', 'inline-policy': 'ListRolePolicies', 'attached-policy': 'ListAttachedRolePolicies' }),
  async find(tenantId) {
    const RoleName = tenantResources(tenantId).role;
    if (!(await ifThere(client.send(new GetRoleCommand({ RoleName }))))) return [];
    const [inline, attached] = await Promise.all([
      ifThere(allOf(paginateListRolePolicies({ client }, { RoleName }), ({ PolicyNames }) => PolicyNames)),
      ifThere(allOf(paginateListAttachedRolePolicies({ client }, { RoleName }), ({ AttachedPolicies }) => AttachedPolicies)),
    ]);
    return [
      resource('iam', 'role', RoleName),
      ...(inline ?? []).map((name) => resource('iam', 'inline-policy', `${RoleName}/${name}`)),
      ...(attached ?? []).map(({ PolicyName = '' }) => resource('iam', 'attached-policy', `${RoleName}/${PolicyName}`)),
    ];
  },
  async tenantIds() {
    const roles = await allOf(paginateListRoles({ client }, {}), (page) => page.Roles);
    return tenantsOf('role', roles.map(({ RoleName }) => RoleName));
  },
});

export const logGroupFinder = ({ logs: client }: PlatformClients): ResourceFinder => ({
  checks: checksOf('logs', { 'log-group': 'DescribeLogGroups' }),
  async find(tenantId) {
    const { logGroup } = tenantResources(tenantId);
    const { logGroups } = await client.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: logGroup }));
    return (logGroups ?? []).flatMap(({ logGroupName }) => (logGroupName === logGroup ? [resource('logs', 'log-group', logGroup)] : []));
  },
  async tenantIds() {
    const logGroupNamePrefix = tenantResources('').logGroup;
    const found = await allOf(paginateDescribeLogGroups({ client }, { logGroupNamePrefix }), ({ logGroups }) => logGroups);
    return tenantsOf('logGroup', found.map(({ logGroupName }) => logGroupName));
  },
});

const alarmNames = (tenantId: string): string[] => tenantAlarms.map((kind) => tenantResources(tenantId)[kind]);

/** By their exact names: a prefix would find those of a tenant whose id goes on after it. */
export const alarmFinder = ({ cloudWatch: client }: PlatformClients): ResourceFinder => ({
  checks: checksOf('cloudwatch', { alarm: 'DescribeAlarms' }),
  async find(tenantId) {
    const { MetricAlarms } = await client.send(new DescribeAlarmsCommand({ AlarmNames: alarmNames(tenantId) }));
    return (MetricAlarms ?? []).map(({ AlarmName = '' }) => resource('cloudwatch', 'alarm', AlarmName));
  },
  async tenantIds() {
    const found = await allOf(paginateDescribeAlarms({ client }, { AlarmNamePrefix: 'tenant-' }), ({ MetricAlarms }) => MetricAlarms);
    return tenantAlarms.flatMap((kind) => tenantsOf(kind, found.map(({ AlarmName }) => AlarmName)));
  },
});
