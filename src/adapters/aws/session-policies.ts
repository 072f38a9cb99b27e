import { type AccessPurpose, objectKeys, tenantResources } from '../../contracts/names';

/** Whose resources, and where. */
export interface PolicyScope {
  readonly partition: string;
  readonly accountId: string;
  readonly region: string;
  readonly tenantId: string;
}

interface Statement {
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: object;
}

/** What one purpose may do with each kind of what the tenant owns; nothing where a kind is absent. */
interface Needs {
  /** Of its items. */
  readonly table?: readonly string[];
  /** Of the bucket itself. */
  readonly bucket?: readonly string[];
  /** Of objects, all or those of sessions: large batches of events, and attachments. */
  readonly objects?: readonly string[];
  readonly batchObjects?: readonly string[];
  readonly parameters?: readonly string[];
  readonly memory?: readonly string[];
  /** The key by itself. What DynamoDB, S3, SSM and AgentCore do with it for the caller, all may. */
  readonly key?: readonly string[];
}

const reading = ['GetItem', 'Query'];

const needs: Readonly<Record<Exclude<AccessPurpose, 'isolation-probe'>, Needs>> = {
  // Of an object that is not there S3 says so to who may list the bucket; to others, that they may not read it.
  'session-read': { table: reading, bucket: ['ListBucket'], batchObjects: ['GetObject'] },
  'session-step': { table: [...reading, 'PutItem', 'UpdateItem', 'ConditionCheckItem'], batchObjects: ['GetObject', 'PutObject'] },
  approvals: { table: [...reading, 'PutItem', 'DeleteItem', 'ConditionCheckItem'] },
  encryption: { key: ['GenerateDataKey', 'Decrypt'] },
  memory: { memory: ['BatchCreateMemoryRecords', 'ListMemoryRecords', 'RetrieveMemoryRecords'] },
  'memory-edit': { memory: ['ListMemoryRecords', 'GetMemoryRecord', 'BatchUpdateMemoryRecords', 'BatchDeleteMemoryRecords'] },
  'config-read': { parameters: ['GetParameter'] },
  'config-write': { parameters: ['PutParameter'] },
  usage: { table: [...reading, 'PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem'] },
  backup: { table: [...reading, 'Scan'], bucket: ['ListBucket'], objects: ['GetObject'], parameters: ['GetParameter'] },
  restore: { table: ['BatchGetItem', 'BatchWriteItem'], objects: ['PutObject', 'AbortMultipartUpload'], parameters: ['PutParameter'] },
  erase: { table: ['Scan', 'Query', 'GetItem', 'PutItem', 'DeleteItem', 'BatchWriteItem'], parameters: ['DeleteParameter'], memory: ['ListMemoryRecords', 'BatchDeleteMemoryRecords'] },
};

/**
 * The policy of a session of the tenant's role: what the role may do, and this allows too, can be done with the session's
 * credentials. STS takes 2,048 characters.
 */
export function sessionPolicy(purpose: AccessPurpose, { partition, accountId, region, tenantId }: PolicyScope): string {
  // The probe looks for what the role lets through, so the role alone decides.
  if (purpose === 'isolation-probe') return JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: ['*'], Resource: ['*'] }] });
  const { table, bucket, objects, batchObjects, parameters, memory, key } = needs[purpose];
  const names = tenantResources(tenantId);
  const arn = (service: string, resource: string) => `arn:${partition}:${service}:${region}:${accountId}:${resource}`;
  const bucketArn = `arn:${partition}:s3:::${names.bucket}`;
  const allow = (service: string, actions: readonly string[] | undefined, Resource: readonly string[]): Statement[] =>
    actions ? [{ Effect: 'Allow', Action: actions.map((action) => `${service}:${action}`), Resource }] : [];
  // Which key it is the role says: its id is not known by name.
  const keys = [arn('kms', 'key/*')];
  const through = ['dynamodb', 's3', 'ssm', 'bedrock-agentcore'].map((service) => `${service}.${region}.amazonaws.com`);
  const Statement = [
    ...allow('dynamodb', table, [arn('dynamodb', `table/${names.table}`)]),
    ...allow('s3', bucket, [bucketArn]),
    ...allow('s3', objects, [`${bucketArn}/*`]),
    ...allow('s3', batchObjects, [`${bucketArn}/${objectKeys.batches}*`]),
    ...allow('ssm', parameters, [arn('ssm', `parameter${names.parameterPrefix}*`)]),
    ...allow('bedrock-agentcore', memory, [arn('bedrock-agentcore', `memory/${names.memory}-*`)]),
    ...allow('kms', key, keys),
    ...allow('kms', ['Decrypt', 'Encrypt', 'GenerateDataKey*', 'ReEncrypt*', 'DescribeKey'], keys).map((statement) => ({ ...statement, Condition: { StringEquals: { 'kms:ViaService': through } } })),
  ];
  return JSON.stringify({ Version: '2012-10-17', Statement });
}
