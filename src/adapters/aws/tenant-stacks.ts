import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeEventsCommand,
  DescribeStackResourceCommand,
  DescribeStacksCommand,
  type Stack,
  UpdateStackCommand,
  paginateDescribeStackEvents,
} from '@aws-sdk/client-cloudformation';
import type { CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider';
import { DomainError } from '../../contracts/errors';
import { tenantResources } from '../../contracts/names';
import { TenantInfrastructure } from '../../contracts/tenant';
import type { StackClients, TenantStacks, Waiting } from '../../ports/provisioning';
import { ifThere, isAwsError, quotaExceeded, tellsOfQuota } from './failures';
import { deleteDomain } from './machine-clients';
import { until } from './waiting';

/** The template beside `src/` and `dist/`. */
const defaultTemplatePath = join(__dirname, '../../../cloudformation/tenant-infrastructure.yaml');

const operationTag = 'OperationId';

interface Dependencies {
  readonly cloudFormation: CloudFormationClient;
  readonly cognito: CognitoIdentityProviderClient;
  readonly templatePath?: string;
  /** SNS topic that hears of the tenant's alarms. */
  readonly alarmTopicArn?: string | undefined;
}

/** What CloudFormation and the services behind it say of a name that somebody has. */
const isTaken = (reason: string): boolean => /already (exists|owned)|BucketAlreadyExists|AlreadyExistsException/i.test(reason);

/** Why the stack did not come to stand: what its validation found, or the first resource that failed by itself. */
async function reasonOf(cloudFormation: CloudFormationClient, stack: Stack): Promise<string> {
  const StackName = stack.StackId ?? stack.StackName;
  let reason = stack.StackStatusReason || (stack.StackStatus ?? 'no reason given');
  // Newest first: the last one seen is the one that began it.
  for await (const { StackEvents } of paginateDescribeStackEvents({ client: cloudFormation }, { StackName }))
    for (const event of StackEvents ?? [])
      if (event.ResourceStatus?.endsWith('_FAILED') && event.ResourceStatusReason && !event.ResourceStatusReason.includes('cancelled'))
        reason = `${event.LogicalResourceId ?? 'a resource'}: ${event.ResourceStatusReason}`;
  if (!reason.includes('Validation failed')) return reason;
  const { OperationEvents } = await cloudFormation.send(new DescribeEventsCommand({ StackName, Filters: { FailedEvents: true } }));
  const found = OperationEvents?.find(({ EventType }) => EventType === 'VALIDATION_ERROR');
  return found?.ValidationStatusReason ? `${found.LogicalResourceId ?? 'a resource'}: ${found.ValidationStatusReason}` : reason;
}

async function failureOf(cloudFormation: CloudFormationClient, stack: Stack): Promise<DomainError> {
  const reason = await reasonOf(cloudFormation, stack);
  if (isTaken(reason))
    return new DomainError(
      'infrastructure/name-taken',
      `${reason}. If it is this account's, an earlier tenant left it behind: delete it and try again. If it is another account's, choose another tenant id.`,
    );
  const message = `Stack ${stack.StackName ?? ''} is ${stack.StackStatus ?? 'gone'}. ${reason}`;
  return tellsOfQuota(reason) ? quotaExceeded(message) : new DomainError('infrastructure/failed', message);
}

export function createTenantStacks({ cloudFormation, cognito, templatePath = defaultTemplatePath, alarmTopicArn }: Dependencies): TenantStacks {
  /** By name finds a living stack only; by id also one that is gone. */
  async function describe(nameOrId: string): Promise<Stack | undefined> {
    return (await ifThere(cloudFormation.send(new DescribeStacksCommand({ StackName: nameOrId }))))?.Stacks?.[0];
  }

  async function begin(tenantId: string, operationId: string): Promise<void> {
    const { stack } = tenantResources(tenantId);
    try {
      await cloudFormation.send(
        new CreateStackCommand({
          StackName: stack,
          TemplateBody: await readFile(templatePath, 'utf8'),
          Parameters: [
            { ParameterKey: 'TenantId', ParameterValue: tenantId },
            ...(alarmTopicArn !== undefined ? [{ ParameterKey: 'AlarmTopicArn', ParameterValue: alarmTopicArn }] : []),
          ],
          Capabilities: ['CAPABILITY_NAMED_IAM'],
          OnFailure: 'ROLLBACK',
          // A token may hold letters, digits and hyphens only.
          ClientRequestToken: operationId.replaceAll('_', '-'),
          Tags: [
            { Key: 'TenantId', Value: tenantId },
            { Key: operationTag, Value: operationId },
          ],
        }),
      );
    } catch (error) {
      if (!isAwsError(error, 'AlreadyExistsException')) throw error;
      // AWS forgets the token in time; the tag stays.
      const existing = await describe(stack);
      if (existing?.Tags?.some(({ Key, Value }) => Key === operationTag && Value === operationId)) return;
      throw new DomainError('infrastructure/failed', `Stack ${stack} belongs to another operation. Delete it first.`, { cause: error });
    }
  }

  const failed = (stack: Stack) => failureOf(cloudFormation, stack);

  return {
    async create(tenantId, operationId, waiting) {
      await begin(tenantId, operationId);
      const name = tenantResources(tenantId).stack;
      return until(waiting, async () => {
        const stack = await describe(name);
        if (!stack) throw new DomainError('infrastructure/failed', `Stack ${name} was deleted while it was being created.`);
        if (stack.StackStatus === 'CREATE_COMPLETE' || stack.StackStatus?.startsWith('UPDATE_')) return { done: infrastructureOf(stack) };
        if (stack.StackStatus !== 'CREATE_IN_PROGRESS' && stack.StackStatus !== 'ROLLBACK_IN_PROGRESS') throw await failed(stack);
        return { pending: `${name} ${stack.StackStatus}` };
      });
    },

    ...clientsOf(cloudFormation, templatePath, describe),

    async hasBucket(tenantId) {
      const resource = { StackName: tenantResources(tenantId).stack, LogicalResourceId: 'Bucket' };
      const found = await ifThere(cloudFormation.send(new DescribeStackResourceCommand(resource)));
      const { PhysicalResourceId, ResourceStatus = '' } = found?.StackResourceDetail ?? {};
      return PhysicalResourceId !== undefined && ResourceStatus !== 'CREATE_FAILED' && ResourceStatus !== 'DELETE_COMPLETE';
    },

    async outputs(tenantId) {
      const stack = await describe(tenantResources(tenantId).stack);
      return stack && TenantInfrastructure.safeParse(outputsOf(stack)).data;
    },

    async delete(tenantId, waiting: Waiting) {
      const name = tenantResources(tenantId).stack;
      const existing = await describe(name);
      if (!existing) return;
      const stackId = existing.StackId ?? name;
      const userPoolId = outputsOf(existing)['userPoolId'];
      if (userPoolId !== undefined) await deleteDomain(cognito, userPoolId);
      await cloudFormation.send(new DeleteStackCommand({ StackName: stackId }));
      await until(waiting, async () => {
        const stack = await describe(stackId);
        if (!stack || stack.StackStatus === 'DELETE_COMPLETE') return { done: undefined };
        if (stack.StackStatus === 'DELETE_FAILED') throw await failed(stack);
        return { pending: `${name} ${stack.StackStatus ?? ''}` };
      });
    },
  };
}

/** The clients are a parameter of the stack, so that the stack says what there is. */
function clientsOf(
  cloudFormation: CloudFormationClient,
  templatePath: string,
  describe: (name: string) => Promise<Stack | undefined>,
): Pick<TenantStacks, 'clients' | 'setClients'> {
  async function standing(tenantId: string): Promise<Stack> {
    const name = tenantResources(tenantId).stack;
    const stack = await describe(name);
    if (!stack) throw new DomainError('infrastructure/failed', `There is no stack ${name}.`);
    return stack;
  }

  async function update(stack: Stack, clients: StackClients): Promise<void> {
    const kept = (stack.Parameters ?? []).flatMap(({ ParameterKey }) => (ParameterKey === clientsParameter ? [] : [{ ParameterKey, UsePreviousValue: true }]));
    await cloudFormation.send(
      new UpdateStackCommand({
        StackName: stack.StackId ?? stack.StackName,
        TemplateBody: await readFile(templatePath, 'utf8'),
        Parameters: [...kept, { ParameterKey: clientsParameter, ParameterValue: clients }],
        Capabilities: ['CAPABILITY_NAMED_IAM'],
      }),
    );
  }

  return {
    clients: async (tenantId) => clientsIn(await standing(tenantId)),

    async setClients(tenantId, clients, waiting) {
      let isBegun = false;
      return until(waiting, async () => {
        const stack = await standing(tenantId);
        const status = stack.StackStatus ?? '';
        if (status.endsWith('_IN_PROGRESS')) return { pending: `${stack.StackName ?? ''} ${status}` };
        if (clientsIn(stack) === clients && hasSettled(status)) return { done: infrastructureOf(stack) };
        if (isBegun) throw await failureOf(cloudFormation, stack);
        await update(stack, clients);
        isBegun = true;
        return { pending: `${stack.StackName ?? ''} is being updated` };
      });
    },
  };
}

/** A stack whose update was rolled back stands as it was before, and has nothing to update. */
const hasSettled = (status: string): boolean => !status.includes('ROLLBACK') || status === 'UPDATE_ROLLBACK_COMPLETE';

const clientsParameter = 'UserPoolClients';

/** A stack of an earlier template has the first. */
const clientsIn = (stack: Stack): StackClients =>
  (stack.Parameters?.find(({ ParameterKey }) => ParameterKey === clientsParameter)?.ParameterValue ?? 'first') as StackClients;

const infrastructureOf = (stack: Stack): TenantInfrastructure =>
  TenantInfrastructure.parse(outputsOf(stack));

const outputsOf = ({ Outputs = [] }: Stack): Record<string, string | undefined> =>
  Object.fromEntries(Outputs.map(({ OutputKey = '', OutputValue }): [string, string | undefined] => [OutputKey, OutputValue]));
