import { sessionPolicy } from '../../src/adapters/aws/session-policies';
import { accessPurposes, type AccessPurpose } from '../../src/contracts/names';
import { referred, resourcesOf, type Statement } from '../support/templates';

const platform = resourcesOf('platform-identities.yaml');

type Process = 'Api' | 'Worker';
type Context = Readonly<Record<string, readonly string[]>>;

const statementsOf = (process: Process): Statement[] => {
  const attached = platform[`${process}Role`]?.Properties.ManagedPolicyArns ?? [];
  return Object.entries(platform).flatMap(([name, { Properties }]) => (attached.includes(referred(name)) ? Properties.PolicyDocument.Statement : []));
};

const matches = (pattern: string, text: string) => new RegExp(`^${pattern.replace(/[.+^$()|[\]\\{}]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`, 'i').test(text);
const isAmong = (patterns: string | readonly string[], text: string) => [patterns].flat().some((pattern) => matches(pattern, text));

/** @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html */
const operators: Readonly<Record<string, (values: readonly string[] | undefined, wanted: readonly string[]) => boolean>> = {
  Null: (values, wanted) => wanted.includes(String(values === undefined)),
  StringEquals: (values, wanted) => values?.length === 1 && values.every((value) => wanted.includes(value)),
  StringNotEquals: (values, wanted) => !values?.some((value) => wanted.includes(value)),
  'ForAnyValue:StringEquals': (values, wanted) => values?.some((value) => wanted.includes(value)) ?? false,
};

const holds = ({ Condition = {} }: Statement, context: Context): boolean =>
  Object.entries(Condition).every(([name, keys]) => {
    const operator = operators[name];
    if (!operator) throw new Error(`What ${name} means is not known here.`);
    return Object.entries(keys).every(([key, wanted]) => operator(context[key], [wanted].flat()));
  });

/** What IAM decides: a denial goes before all else. @returns the statement it goes by, if one says anything of it. */
function decision(who: Process | readonly Statement[], action: string, resource: string, context: Context = {}): string {
  const statements = typeof who === 'string' ? statementsOf(who) : who;
  const saying = statements.filter((statement) => isAmong(statement.Action, action) && isAmong(statement.Resource, resource) && holds(statement, context));
  const [first] = saying.toSorted((one, other) => other.Effect.localeCompare(one.Effect));
  return first ? `${first.Effect} ${first.Sid}` : 'nothing';
}

const arn = (service: string, resource: string) => `arn:aws-us-gov:${service}:ap-southeast-2:123456789012:${resource}`;
const keyOfTenant = arn('kms', 'key/12345678-1234-1234-1234-123456789012');
const ofTenant = { 'aws:ResourceTag/TenantId': ['acme'] };
const through = (service: string) => ({ ...ofTenant, 'kms:ViaService': [`${service}.ap-southeast-2.amazonaws.com`] });
const byCloudFormation = { 'aws:CalledVia': ['cloudformation.amazonaws.com', 'dynamodb.amazonaws.com'] };

const sessionFor = (purpose: AccessPurpose) => {
  const policy = sessionPolicy(purpose, { partition: 'aws-us-gov', accountId: '123456789012', region: 'ap-southeast-2', tenantId: 'acme' });
  return (JSON.parse(policy) as { Statement: Omit<Statement, 'Sid'>[] }).Statement.map((statement, index) => ({ Sid: String(index), ...statement }));
};

const uses = ['kms:CreateGrant', 'kms:Decrypt', 'kms:GenerateDataKey', 'kms:ReEncryptFrom'];

describe("a tenant's key", () => {
  it.each([...uses, 'kms:DescribeKey'])('may be used by AgentCore for the worker, which makes memories under it: %s', (action) => {
    expect(decision('Worker', action, keyOfTenant, through('bedrock-agentcore'))).toBe(action === 'kms:DescribeKey' ? 'Allow Inventory' : 'Allow KeysOfAgentCore');
    expect(decision('Worker', action, keyOfTenant, { ...through('bedrock-agentcore'), 'aws:CalledVia': ['bedrock-agentcore.amazonaws.com'] })).toMatch(/^Allow/);
  });

  it.each(uses)('may be used by CloudFormation for the worker, which makes tables under it: %s', (action) => {
    expect(decision('Worker', action, keyOfTenant, { ...ofTenant, ...byCloudFormation })).toBe('Allow WhatStacksAreMadeOf');
  });

  it.each(uses)('is used by no process itself, nor for it by what holds data: %s', (action) => {
    for (const context of [ofTenant, through('dynamodb'), through('s3'), through('ssm')])
      for (const process of ['Api', 'Worker'] as const) expect(decision(process, action, keyOfTenant, context)).toBe('Deny Keys');
    expect(decision('Api', action, keyOfTenant, through('bedrock-agentcore'))).toBe('nothing');
    expect(decision('Worker', action, keyOfTenant, { 'kms:ViaService': ['bedrock-agentcore.ap-southeast-2.amazonaws.com'] })).toBe('nothing');
  });

  it.each(accessPurposes)('is used for a session of the tenant by what holds its data: %s', (purpose) => {
    for (const service of ['dynamodb', 's3', 'ssm', 'bedrock-agentcore']) expect(decision(sessionFor(purpose), 'kms:Decrypt', keyOfTenant, through(service))).toMatch(/^Allow/);
    if (purpose !== 'encryption' && purpose !== 'isolation-probe') expect(decision(sessionFor(purpose), 'kms:Decrypt', keyOfTenant, ofTenant)).toBe('nothing');
  });
});

describe('an object that is not there', () => {
  // S3 says AccessDenied of it to who may not list the bucket.
  it.each(['session-read', 'backup'] as const)('is not there for %s, not forbidden', (purpose) => {
    const bucket = 'arn:aws-us-gov:s3:::tenant-acme-data-bucket';
    for (const [action, resource] of [['s3:GetObject', `${bucket}/sessions/a/b`], ['s3:ListBucket', bucket]] as const) expect(decision(sessionFor(purpose), action, resource)).toMatch(/^Allow/);
  });

  it.each(['Api', 'Worker'] as const)('is not there among the backups for %s, not forbidden', (process) => {
    const bucket = 'arn:aws-us-gov:s3:::tenure-backups-123456789012';
    for (const [action, resource] of [['s3:GetObject', `${bucket}/a`], ['s3:ListBucket', bucket]] as const) expect(decision(process, action, resource)).toMatch(/^Allow/);
  });
});

describe('what AgentCore has of a tenant', () => {
  const provider = arn('bedrock-agentcore', 'token-vault/default/oauth2credentialprovider/tenant-acme-oauth');
  const memory = arn('bedrock-agentcore', 'memory/tenant_acme_memory-0123456789');

  it.each(['Api', 'Worker'] as const)('is seen by name and state by %s', (process) => {
    for (const action of ['ListMemories', 'GetGatewayRateLimit', 'GetOauth2CredentialProvider', 'ListAgentRuntimeEndpoints']) expect(decision(process, `bedrock-agentcore:${action}`, '*')).toBe('Allow Inventory');
  });

  it.each(['GetResourceOauth2Token', 'GetResourceApiKey', 'GetWorkloadAccessToken', 'GetWorkloadAccessTokenForJWT', 'GetWorkloadAccessTokenForUserId'])('gives no process a token: %s', (action) => {
    for (const process of ['Api', 'Worker'] as const) expect(decision(process, `bedrock-agentcore:${action}`, provider)).toBe('Deny TokensOfAgents');
  });

  it.each(['ListActors', 'ListSessions', 'ListEvents', 'GetMemoryRecord'])('tells no process whose its memory is, and what is in it: %s', (action) => {
    for (const process of ['Api', 'Worker'] as const) expect(decision(process, `bedrock-agentcore:${action}`, memory)).toBe('Deny Memory');
  });

  it.each(['GetBrowserSession', 'GetCodeInterpreterSession'])('shows the API no sessions of tools: %s', (action) => {
    expect(decision('Api', `bedrock-agentcore:${action}`, '*')).toBe('nothing');
  });
});

describe('the parts of AgentCore that settings switch on', () => {
  const alarm = arn('cloudwatch', 'alarm:TargetTracking-service/tenure/workers-AlarmHigh-1');
  const linkedRole = (service: string) => `arn:aws-us-gov:iam::123456789012:role/aws-service-role/${service}.amazonaws.com/AWSServiceRole`;
  it.each([
    ['identity', 'secretsmanager:DescribeSecret', referred('SecretOfAgents')],
    ['scaling', 'ecs:DescribeServices', referred('ScaledService')],
    ['scaling', 'ecs:UpdateService', referred('ScaledService')],
    ['scaling', 'cloudwatch:PutMetricAlarm', alarm],
    ['scaling', 'cloudwatch:DeleteAlarms', alarm],
    ['scaling', 'iam:CreateServiceLinkedRole', linkedRole('ecs.application-autoscaling')],
    ['runtime', 'iam:CreateServiceLinkedRole', linkedRole('runtime-identity.bedrock-agentcore')],
  ])('can be made by the worker: %s, which asks for %s', (_part, action, resource) => {
    expect(decision('Worker', action, resource)).toMatch(/^Allow/);
    expect(decision('Worker', action, resource.replace('123456789012', '210987654321'))).toBe('nothing');
    expect(decision('Api', action, resource)).toBe('nothing');
  });
});
