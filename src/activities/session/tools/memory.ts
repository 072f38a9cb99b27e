import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Memory } from '../../../ports/memory';
import { defineTool } from './tool';

export const remember = (memory: Memory) =>
  defineTool({
    name: 'remember',
    description: 'Keeps a fact about the user for later conversations. Use it when the user asks you to remember, store or note something.',
    input: z.object({ fact: z.string().trim().min(1).max(4_000).describe('the fact, complete in itself') }),
    output: z.object({ remembered: z.string(), factId: z.string() }),
    timeoutMs: 15_000,
    maxAttempts: 5,
    effect: 'idempotent',
    async run({ fact }, { owner, idempotencyKey }) {
      const { factId, text } = await memory.remember(owner, { requestId: digest(idempotencyKey), text: fact });
      return { remembered: text, factId };
    },
    undo: ({ output: { factId } }, { owner: { tenantId } }) => memory.forget(tenantId, factId),
  });

export const recall = (memory: Memory) =>
  defineTool({
    name: 'recall',
    description: 'Finds what was remembered about the user in earlier conversations, best match first.',
    input: z.object({ query: z.string().trim().min(1).max(1_000).describe('what to look for') }),
    output: z.object({ facts: z.array(z.object({ fact: z.string(), rememberedAt: z.string() })) }),
    timeoutMs: 15_000,
    maxAttempts: 5,
    effect: 'read',
    async run({ query }, { owner }) {
      const facts = await memory.recall(owner, { text: query });
      return { facts: facts.map(({ text, createdAt }) => ({ fact: text, rememberedAt: createdAt })) };
    },
  });

/** AgentCore's request ids are short and take few characters. */
const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 64);
