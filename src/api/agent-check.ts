import { DomainError } from '../contracts/errors';
import { schemaProblem } from '../contracts/json-schema';
import type { AgentConfig } from '../contracts/tenant';
import { sourceToolPattern } from '../contracts/tool-source';
import { mustHaveNamesOfTheirOwn } from '../domain/called-agents';
import { originProblem } from '../domain/egress';
import { isPlain } from '../domain/plain-schema';
import { canReason } from '../domain/reasoning';

/** What is wrong with an agent whoever has it. @throws DomainError `config/invalid` when it names a tool that does not exist, or what is no origin; `agent/invalid` */
export function checkAgent(agent: AgentConfig, toolNames: readonly string[]): void {
  checkTools(agent, toolNames);
  checkOrigins(agent);
  checkResponseSchema(agent);
  checkReasoning(agent);
  mustHaveNamesOfTheirOwn(agent, toolNames);
}

function checkReasoning({ reasoning, modelId, maxOutputTokens }: AgentConfig): void {
  if (reasoning === undefined) return;
  if (!canReason(modelId)) throw new DomainError('agent/invalid', `reasoning: ${modelId} does not take a budget for it; models of Anthropic do.`);
  if (reasoning.budgetTokens >= maxOutputTokens) throw new DomainError('agent/invalid', `reasoning: its ${reasoning.budgetTokens} tokens are part of maxOutputTokens, and leave nothing of ${maxOutputTokens} for the answer.`);
}

/** Tools of sources may be named before their source is there, and after it has gone: then there is none. */
function checkTools({ tools }: AgentConfig, toolNames: readonly string[]): void {
  const unknown = tools.filter((tool) => !toolNames.includes(tool) && !sourceToolPattern.test(tool));
  if (unknown.length > 0) throw new DomainError('config/invalid', `There is no tool ${unknown.join(', ')}. There are: ${toolNames.join(', ')}, and those of tool sources such as orders__list or orders__*.`);
}

/** Not by the schema: what is kept from before stays readable, and goes on as it did. */
function checkOrigins({ allowedOrigins, idempotentOrigins }: AgentConfig): void {
  for (const [setting, origins] of Object.entries({ allowedOrigins, idempotentOrigins }))
    for (const origin of origins) {
      const problem = originProblem(origin);
      if (problem !== undefined) throw new DomainError('config/invalid', `${setting}: ${problem}.`);
    }
}

/** Answers are checked where other tenants' turns run, too: only what can be checked quickly is taken. */
function checkResponseSchema({ responseSchema: schema }: AgentConfig): void {
  if (schema === undefined) return;
  if (!isPlain(schema))
    throw new DomainError('agent/invalid', 'responseSchema: it holds what cannot be checked, such as $ref, pattern, $schema, a description of more than 500 characters, or a value a keyword does not take.');
  const problem = schemaProblem(schema);
  if (problem) throw new DomainError('agent/invalid', `responseSchema: ${problem.message}.`, { cause: problem.cause });
}
