import { DescribeScalingPoliciesCommand } from '@aws-sdk/client-application-auto-scaling';
import { ListMemoryRecordsCommand } from '@aws-sdk/client-bedrock-agentcore';
import { GetAgentRuntimeCommand, GetGatewayCommand, GetOauth2CredentialProviderCommand, GetWorkloadIdentityCommand } from '@aws-sdk/client-bedrock-agentcore-control';
import { DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { FilterLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeUserPoolClientCommand, ListUsersCommand } from '@aws-sdk/client-cognito-identity-provider';
import { GenerateDataKeyCommand } from '@aws-sdk/client-kms';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { GetParameterCommand, GetParametersByPathCommand } from '@aws-sdk/client-ssm';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import { DeleteCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { accessSessionName, memoryNamespaces, purposeTag, tableKeys, tenantTag, type TenantResource, tenantResources } from '../../contracts/names';
import type { ServedTenant } from '../../contracts/tenant';
import type { Door } from '../../ports/isolation-probe';
import type { PlatformClients } from '../aws/clients';
import { tryDoor } from './refusals';

interface Way {
  readonly call: string;
  /** Its own role does not allow it even at home: it is somebody else's work. */
  readonly isClosedAtHome?: true;
  /** Errors that only somebody hears who was let in. */
  readonly nothingThere?: readonly string[];
  readonly untriable?: string | undefined;
  readonly send: (target: ServedTenant) => Promise<unknown>;
}

/** Nothing of any tenant has such a name. */
const nobodys = 'isolation-probe';
const purpose = 'isolation-probe';

export interface AwsDoorSettings {
  /** The clients' AWS is an emulator, which lets everybody at AgentCore. */
  readonly isEmulator: boolean;
}

const absent = (other: ServedTenant, part: 'runtime' | 'gateway' | 'identity' | 'scaling', what: string) => (other[part] === undefined ? `${other.tenantId} has no ${what}.` : undefined);

type AgentCoreKind = 'memory' | 'runtime' | 'gateway' | 'workloadIdentity' | 'credentialProvider';

const agentCoreWays = (as: PlatformClients, other: ServedTenant, isEmulator: boolean): Readonly<Record<AgentCoreKind, readonly Way[]>> => {
  const unguarded = isEmulator ? 'This AWS is an emulator, which checks no roles at AgentCore: only AWS itself can show it.' : undefined;
  return {
    memory: [
      {
        call: 'ListMemoryRecords',
        untriable: unguarded,
        send: ({ memoryId }) => as.agentCore.send(new ListMemoryRecordsCommand({ memoryId, namespace: memoryNamespaces.facts(nobodys), maxResults: 1 })),
      },
    ],
    runtime: [
      {
        call: 'GetAgentRuntime',
        isClosedAtHome: true,
        untriable: unguarded ?? absent(other, 'runtime', 'runtime'),
        send: ({ runtime }) => as.agentCoreControl.send(new GetAgentRuntimeCommand({ agentRuntimeId: runtime?.runtimeId })),
      },
    ],
    gateway: [
      {
        call: 'GetGateway',
        isClosedAtHome: true,
        untriable: unguarded ?? absent(other, 'gateway', 'gateway'),
        send: ({ gateway }) => as.agentCoreControl.send(new GetGatewayCommand({ gatewayIdentifier: gateway?.gatewayId })),
      },
    ],
    workloadIdentity: [
      {
        call: 'GetWorkloadIdentity',
        isClosedAtHome: true,
        untriable: unguarded ?? absent(other, 'identity', 'identity'),
        send: ({ tenantId }) => as.agentCoreControl.send(new GetWorkloadIdentityCommand({ name: tenantResources(tenantId).workloadIdentity })),
      },
    ],
    credentialProvider: [
      {
        call: 'GetOauth2CredentialProvider',
        isClosedAtHome: true,
        untriable: unguarded ?? absent(other, 'identity', 'identity'),
        send: ({ tenantId }) => as.agentCoreControl.send(new GetOauth2CredentialProviderCommand({ name: tenantResources(tenantId).credentialProvider })),
      },
    ],
  };
};

/**
 * By kind of what a tenant owns: how somebody with a tenant's credentials would try to get at it. They read, or delete what is not there.
 * A kind that joins `tenantResources` does not compile until it is told here how it is tried.
 */
const waysOf = (as: PlatformClients, other: ServedTenant, { isEmulator }: AwsDoorSettings): Readonly<Record<TenantResource, readonly Way[]>> => {
  const alarm = (name: 'alarm' | 'throttleAlarm' | 'backlogAlarm' | 'stuckAlarm' | 'tableAlarm'): readonly Way[] => [
    { call: 'DescribeAlarms', isClosedAtHome: true, send: ({ tenantId }) => as.cloudWatch.send(new DescribeAlarmsCommand({ AlarmNames: [tenantResources(tenantId)[name]] })) },
  ];
  return {
    stack: [{ call: 'DescribeStacks', isClosedAtHome: true, send: ({ tenantId }) => as.cloudFormation.send(new DescribeStacksCommand({ StackName: tenantResources(tenantId).stack })) }],
    userPool: [{ call: 'ListUsers', isClosedAtHome: true, send: ({ infrastructure: { userPoolId: UserPoolId } }) => as.cognito.send(new ListUsersCommand({ UserPoolId, Limit: 1 })) }],
    userPoolClient: [
      {
        call: 'DescribeUserPoolClient',
        isClosedAtHome: true,
        send: ({ infrastructure: { userPoolId: UserPoolId, userPoolClientId: ClientId } }) => as.cognito.send(new DescribeUserPoolClientCommand({ UserPoolId, ClientId })),
      },
    ],
    keyAlias: [
      {
        call: 'GenerateDataKey',
        send: ({ tenantId, infrastructure: { keyArn: KeyId } }) => as.kms.send(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256', EncryptionContext: { tenant: tenantId } })),
      },
    ],
    bucket: [
      { call: 'ListObjectsV2', send: ({ infrastructure: { bucketName: Bucket } }) => as.s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 1 })) },
      { call: 'GetObject', nothingThere: ['NoSuchKey'], send: ({ infrastructure: { bucketName: Bucket } }) => as.s3.send(new GetObjectCommand({ Bucket, Key: nobodys })) },
    ],
    table: [
      {
        call: 'Query',
        send: ({ infrastructure: { tableName: TableName } }) =>
          as.table.send(new QueryCommand({ TableName, KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': tableKeys.sessions() }, Limit: 1 })),
      },
      { call: 'DeleteItem', send: ({ infrastructure: { tableName: TableName } }) => as.table.send(new DeleteCommand({ TableName, Key: { pk: nobodys, sk: nobodys } })) },
    ],
    role: [
      {
        call: 'AssumeRole',
        isClosedAtHome: true,
        send: ({ tenantId, infrastructure: { roleArn: RoleArn } }) =>
          as.sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: accessSessionName(tenantId, purpose), DurationSeconds: 900, Tags: [{ Key: tenantTag, Value: tenantId }, { Key: purposeTag, Value: purpose }] })),
      },
    ],
    logGroup: [
      { call: 'FilterLogEvents', isClosedAtHome: true, send: ({ tenantId }) => as.logs.send(new FilterLogEventsCommand({ logGroupName: tenantResources(tenantId).logGroup, limit: 1 })) },
    ],
    alarm: alarm('alarm'),
    throttleAlarm: alarm('throttleAlarm'),
    backlogAlarm: alarm('backlogAlarm'),
    stuckAlarm: alarm('stuckAlarm'),
    tableAlarm: alarm('tableAlarm'),
    ...agentCoreWays(as, other, isEmulator),
    scalingPolicy: [
      {
        call: 'DescribeScalingPolicies',
        isClosedAtHome: true,
        untriable: absent(other, 'scaling', 'scaling policy'),
        send: ({ tenantId }) => as.applicationAutoScaling.send(new DescribeScalingPoliciesCommand({ ServiceNamespace: 'ecs', PolicyNames: [tenantResources(tenantId).scalingPolicy] })),
      },
    ],
    parameterPrefix: [
      { call: 'GetParametersByPath', send: ({ tenantId }) => as.ssm.send(new GetParametersByPathCommand({ Path: tenantResources(tenantId).parameterPrefix.replace(/\/$/, ''), MaxResults: 1 })) },
    ],
    agentParameter: [
      { call: 'GetParameter', send: ({ tenantId }) => as.ssm.send(new GetParameterCommand({ Name: tenantResources(tenantId).agentParameter, WithDecryption: true })) },
    ],
  };
};

/** Every kind of resource, tried with the credentials these clients have. */
export function awsDoors(as: PlatformClients, other: ServedTenant, settings: AwsDoorSettings): Door[] {
  const ways = Object.entries(waysOf(as, other, settings)) as [TenantResource, readonly Way[]][];
  return ways.flatMap(([kind, ofKind]) =>
    ofKind.map(({ call, isClosedAtHome = false, nothingThere = [], untriable, send }) => ({
      kind,
      what: `role: ${call}`,
      opensAtHome: !isClosedAtHome,
      ...(untriable !== undefined && { untriable }),
      enter: (target: ServedTenant) => tryDoor(() => send(target), ...nothingThere),
    })),
  );
}
