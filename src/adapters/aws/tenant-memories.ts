import {
  type BedrockAgentCoreControlClient,
  CreateMemoryCommand,
  DeleteMemoryCommand,
  GetMemoryCommand,
  type Memory,
  paginateListMemories,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { DomainError } from '../../contracts/errors';
import { tenantResources } from '../../contracts/names';
import type { TenantMemories } from '../../ports/provisioning';
import { isAwsError } from './failures';
import { until } from './waiting';

/** Metadata by which a repeated request finds the fact it kept: only indexed keys can be filtered on. */
export const requestIdKey = 'requestId';

/** Days AgentCore keeps raw events. Facts stay until they are deleted. */
const eventExpiryDays = 90;

/** Lists show ids only: `{name}-{10 random characters}`. */
export const nameOfMemory = (memoryId: string): string => memoryId.replace(/-[A-Za-z0-9]{10}$/, '');

/** @returns undefined when there is no memory of that name. */
export async function findMemoryId(client: BedrockAgentCoreControlClient, name: string): Promise<string | undefined> {
  for await (const { memories } of paginateListMemories({ client, pageSize: 50 }, {}))
    for (const { id } of memories ?? []) if (id !== undefined && nameOfMemory(id) === name) return id;
  return undefined;
}

export function createTenantMemories({ agentCoreControl: client }: { agentCoreControl: BedrockAgentCoreControlClient }): TenantMemories {
  async function describe(memoryId: string): Promise<Memory | undefined> {
    try {
      return (await client.send(new GetMemoryCommand({ memoryId }))).memory;
    } catch (error) {
      if (isAwsError(error, 'ResourceNotFoundException')) return undefined;
      throw error;
    }
  }

  async function begin(name: string, operationId: string, keyArn: string): Promise<string> {
    const existing = await findMemoryId(client, name);
    if (existing) return existing;
    const { memory } = await client.send(
      new CreateMemoryCommand({
        name,
        // A token may hold letters, digits and hyphens only.
        clientToken: operationId.replaceAll('_', '-'),
        encryptionKeyArn: keyArn,
        eventExpiryDuration: eventExpiryDays,
        indexedKeys: [{ key: requestIdKey, type: 'STRING' }],
      }),
    );
    if (!memory?.id) throw new Error('AgentCore answered without a memory.');
    return memory.id;
  }

  return {
    async create({ tenantId, operationId, keyArn }, waiting) {
      const { memory: name } = tenantResources(tenantId);
      const memoryId = await begin(name, operationId, keyArn);
      return until(waiting, async () => {
        const memory = await describe(memoryId);
        if (memory?.status === 'ACTIVE') return { done: memoryId };
        if (memory?.status === 'FAILED') throw new DomainError('infrastructure/failed', `Memory ${name} failed: ${memory.failureReason ?? 'no reason given'}`);
        return { pending: `${name} ${memory?.status ?? 'CREATING'}` };
      });
    },

    async delete(tenantId, waiting) {
      const { memory: name } = tenantResources(tenantId);
      const memoryId = await findMemoryId(client, name);
      if (!memoryId) return;
      try {
        await client.send(new DeleteMemoryCommand({ memoryId }));
      } catch (error) {
        if (!isAwsError(error, 'ResourceNotFoundException')) throw error;
      }
      await until(waiting, async () => {
        const memory = await describe(memoryId);
        return memory ? { pending: `${name} ${memory.status ?? 'DELETING'}` } : { done: undefined };
      });
    },
  };
}
