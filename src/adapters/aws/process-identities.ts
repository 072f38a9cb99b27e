import { CreateStackCommand, DescribeStacksCommand, UpdateStackCommand } from '@aws-sdk/client-cloudformation';
import { AttachUserPolicyCommand, CreateAccessKeyCommand, CreateUserCommand, DeleteAccessKeyCommand, paginateListAccessKeys } from '@aws-sdk/client-iam';
import { DescribeKeyCommand } from '@aws-sdk/client-kms';
import { platformResources } from '../../contracts/names';
import type { PlatformClients } from './clients';
import { isAwsError } from './failures';
import { until } from './waiting';

/** Processes with an identity of their own, each with a policy in cloudformation/platform-identities.yaml. */
export const processNames = ['api', 'worker'] as const;
export type ProcessName = (typeof processNames)[number];

/** Access key of a user of an emulator. In AWS, processes have roles. */
export interface ProcessKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const StackName = 'tenure-platform-identities';

/**
 * Makes the processes' policies, as they are published, and a user with each: at an emulator, where nothing gives roles to processes.
 * Again is fine; the keys are new each time. @param template - cloudformation/platform-identities.yaml.
 */
export async function ensureProcessUsers(aws: PlatformClients, template: string, signal: AbortSignal): Promise<Record<ProcessName, ProcessKeys>> {
  await deployPolicies(aws, template, signal);
  const outputs = await outputsOf(aws);
  const [api, worker] = await Promise.all(processNames.map((name) => ensureUser(aws, `tenure-${name}`, (outputs[`${name}Policies`] ?? '').split(','))));
  if (!api || !worker) throw new Error('IAM answered without keys.');
  return { api, worker };
}

async function deployPolicies({ cloudFormation, kms }: PlatformClients, TemplateBody: string, signal: AbortSignal): Promise<void> {
  const arnOf = async (KeyId: string) => (await kms.send(new DescribeKeyCommand({ KeyId }))).KeyMetadata?.Arn ?? '';
  const [history, backup, certificate, audit] = await Promise.all([platformResources.historyKeyAlias, platformResources.backupKeyAlias, platformResources.certificateKeyAlias, platformResources.auditKeyAlias].map(arnOf));
  const input = {
    StackName,
    TemplateBody,
    Capabilities: ['CAPABILITY_NAMED_IAM' as const],
    Parameters: Object.entries({ HistoryKeyArn: history, BackupKeyArn: backup, CertificateKeyArn: certificate, AuditKeyArn: audit }).map(([ParameterKey, ParameterValue]) => ({ ParameterKey, ParameterValue: ParameterValue ?? '' })),
  };
  try {
    await cloudFormation.send(new CreateStackCommand(input));
  } catch (error) {
    if (!isAwsError(error, 'AlreadyExistsException')) throw error;
    // Nothing has changed since it was made: then CloudFormation refuses.
    await cloudFormation.send(new UpdateStackCommand(input)).catch((refusal: unknown) => {
      if (!isAwsError(refusal, 'ValidationError')) throw refusal;
    });
  }
  await until({ signal, beat: () => undefined }, async () => {
    const { Stacks } = await cloudFormation.send(new DescribeStacksCommand({ StackName }));
    const status = Stacks?.[0]?.StackStatus ?? '';
    if (/ROLLBACK|FAILED/.test(status)) throw new Error(`Stack ${StackName} is ${status}: ${Stacks?.[0]?.StackStatusReason ?? 'no reason given'}`);
    return status.endsWith('_COMPLETE') ? { done: undefined } : { pending: `${StackName} ${status}` };
  });
}

async function outputsOf({ cloudFormation }: PlatformClients): Promise<Record<string, string>> {
  const { Stacks } = await cloudFormation.send(new DescribeStacksCommand({ StackName }));
  return Object.fromEntries((Stacks?.[0]?.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]));
}

async function ensureUser({ iam }: PlatformClients, UserName: string, policyArns: readonly string[]): Promise<ProcessKeys> {
  await iam.send(new CreateUserCommand({ UserName })).catch((error: unknown) => {
    if (!isAwsError(error, 'EntityAlreadyExistsException', 'EntityAlreadyExists')) throw error;
  });
  for (const PolicyArn of policyArns) await iam.send(new AttachUserPolicyCommand({ UserName, PolicyArn }));
  // A user has two keys at most, and nobody knows the secret of those before.
  for await (const { AccessKeyMetadata } of paginateListAccessKeys({ client: iam }, { UserName }))
    for (const { AccessKeyId } of AccessKeyMetadata ?? []) await iam.send(new DeleteAccessKeyCommand({ UserName, AccessKeyId }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  if (!AccessKey?.AccessKeyId || !AccessKey.SecretAccessKey) throw new Error('IAM answered without a key.');
  return { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey };
}
