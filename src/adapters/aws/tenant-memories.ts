import {
  type BedrockAgentCoreControlClient,
  CreateMemoryCommand,
  DeleteMemoryCommand,
  GetMemoryCommand,
  type Memory,
  type MemoryStrategyInput,
  paginateListMemories,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { memoryStrategies, tenantResources } from '../../contracts/names';
import type { TenantMemories } from '../../ports/provisioning';
import { clientTokenOf, tagsOf, untilGone, untilReady } from './agent-core';
import { ifThere } from './failures';

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

const strategyOf = ({ name, namespace }: { name: string; namespace: string }) => ({ name, namespaceTemplates: [namespace] });

/** What AgentCore itself makes of conversations whose events it is given. */
const strategies: MemoryStrategyInput[] = [
  { semanticMemoryStrategy: strategyOf(memoryStrategies.facts) },
  { userPreferenceMemoryStrategy: strategyOf(memoryStrategies.preferences) },
  { summaryMemoryStrategy: strategyOf(memoryStrategies.summaries) },
];

export function createTenantMemories({ agentCoreControl: client }: { agentCoreControl: BedrockAgentCoreControlClient }): TenantMemories {
  const describe = async (memoryId: string): Promise<Memory | undefined> => (await ifThere(client.send(new GetMemoryCommand({ memoryId }))))?.memory;

  async function begin(tenantId: string, operationId: string, keyArn: string): Promise<string> {
    const { memory: name } = tenantResources(tenantId);
    const existing = await findMemoryId(client, name);
    if (existing) return existing;
    const { memory } = await client.send(
      new CreateMemoryCommand({
        name,
        clientToken: clientTokenOf(operationId),
        encryptionKeyArn: keyArn,
        eventExpiryDuration: eventExpiryDays,
        memoryStrategies: strategies,
        indexedKeys: [{ key: requestIdKey, type: 'STRING' }],
        tags: tagsOf(tenantId),
      }),
    );
    if (!memory?.id) throw new Error('AgentCore answered without a memory.');
    return memory.id;
  }

  return {
    async create({ tenantId, operationId, keyArn }, waiting) {
      const memoryId = await begin(tenantId, operationId, keyArn);
      await untilReady(waiting, tenantResources(tenantId).memory, () => describe(memoryId));
      return memoryId;
    },

    async delete(tenantId, waiting) {
      const { memory: name } = tenantResources(tenantId);
      const memoryId = await findMemoryId(client, name);
      if (!memoryId) return;
      await ifThere(client.send(new DeleteMemoryCommand({ memoryId })));
      await untilGone(waiting, name, () => describe(memoryId));
    },
  };
}
