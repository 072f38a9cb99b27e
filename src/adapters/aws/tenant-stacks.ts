import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStacksCommand,
  type Stack,
  paginateDescribeStackEvents,
} from '@aws-sdk/client-cloudformation';
import { DomainError } from '../../contracts/errors';
import { tenantResources } from '../../contracts/names';
import { TenantInfrastructure } from '../../contracts/tenant';
import type { TenantStacks, Waiting } from '../../ports/provisioning';
import { isAwsError } from './failures';
import { until } from './waiting';

/** The template beside `src/` and `dist/`. */
const defaultTemplatePath = join(__dirname, '../../../cloudformation/tenant-infrastructure.yaml');

const operationTag = 'OperationId';

interface Dependencies {
  readonly cloudFormation: CloudFormationClient;
  readonly templatePath?: string;
}

export function createTenantStacks({ cloudFormation, templatePath = defaultTemplatePath }: Dependencies): TenantStacks {
  /** By name finds a living stack only; by id also one that is gone. */
  async function describe(nameOrId: string): Promise<Stack | undefined> {
    try {
      const { Stacks } = await cloudFormation.send(new DescribeStacksCommand({ StackName: nameOrId }));
      return Stacks?.[0];
    } catch (error) {
      if (isAwsError(error, 'ValidationError') && error.message.includes('does not exist')) return undefined;
      throw error;
    }
  }

  async function begin(tenantId: string, operationId: string): Promise<void> {
    const { stack } = tenantResources(tenantId);
    try {
      await cloudFormation.send(
        new CreateStackCommand({
          StackName: stack,
          TemplateBody: await readFile(templatePath, 'utf8'),
          Parameters: [{ ParameterKey: 'TenantId', ParameterValue: tenantId }],
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

  /** Why the stack did not come to stand: the first resource that failed by itself. */
  async function reasonOf(stack: Stack): Promise<string> {
    let reason = stack.StackStatusReason ?? stack.StackStatus ?? 'no reason given';
    // Newest first: the last one seen is the one that began it.
    for await (const { StackEvents } of paginateDescribeStackEvents({ client: cloudFormation }, { StackName: stack.StackId ?? stack.StackName }))
      for (const event of StackEvents ?? [])
        if (event.ResourceStatus?.endsWith('_FAILED') && event.ResourceStatusReason && !event.ResourceStatusReason.includes('cancelled'))
          reason = `${event.LogicalResourceId ?? 'a resource'}: ${event.ResourceStatusReason}`;
    return reason;
  }

  const failed = async (stack: Stack) =>
    new DomainError('infrastructure/failed', `Stack ${stack.StackName ?? ''} is ${stack.StackStatus ?? 'gone'}. ${await reasonOf(stack)}`);

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

    async delete(tenantId, waiting: Waiting) {
      const name = tenantResources(tenantId).stack;
      const existing = await describe(name);
      if (!existing) return;
      const stackId = existing.StackId ?? name;
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

const infrastructureOf = (stack: Stack): TenantInfrastructure =>
  TenantInfrastructure.parse(Object.fromEntries((stack.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue])));
