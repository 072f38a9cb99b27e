import { z } from 'zod';
import { DomainError } from '../../../contracts/errors';
import type { JsonValue, ToolSpec } from '../../../contracts/model';
import type { AgentConfig } from '../../../contracts/tenant';
import type { MemoryOwner } from '../../../ports/memory';

/** What a tool knows of its call. Tenant and user come from the session, never from the model. */
export interface ToolContext {
  readonly owner: MemoryOwner;
  readonly agent: AgentConfig;
  /** The same for all attempts of one call. */
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

/** What a call does to the world: nothing; the same however often it is repeated; something each time. */
export type Effect = 'read' | 'idempotent' | 'write';

export interface ToolDefinition<Input extends z.ZodType> {
  /** 1-64 of A-Za-z0-9_-, as Converse asks. */
  readonly name: string;
  /** For the model: when to use it, and what comes back. */
  readonly description: string;
  readonly input: Input;
  /** Of one attempt. */
  readonly timeoutMs: number;
  readonly maxAttempts: number;
  /** Of all its calls, or of the one with this input. */
  readonly effect: Effect | ((input: z.output<Input>) => Effect);
  /** When its turn is stopped. Default: a `write` that has begun is left to finish, for nobody could say what became of it. */
  readonly whenStopped?: 'cancel' | 'finish';
  /**
   * @throws DomainError with a retryable code to be tried again; with another to tell the model at once.
   */
  run(input: z.output<Input>, context: ToolContext): Promise<JsonValue>;
}

/** A tool as the rest of the code sees it: input checked, output JSON. */
export interface Tool {
  readonly spec: ToolSpec;
  readonly timeoutMs: number;
  readonly maxAttempts: number;
  /** `write` when the input does not fit: the worst is assumed. */
  effectOf(input: JsonValue): Effect;
  /** Whether such a call, once begun, is left to finish when its turn is stopped. */
  finishes(input: JsonValue): boolean;
  /** What is wrong with an input, in words for the model; undefined when nothing is. */
  problemWith(input: JsonValue): string | undefined;
  run(input: JsonValue, context: ToolContext): Promise<JsonValue>;
}

export function defineTool<Input extends z.ZodType>(definition: ToolDefinition<Input>): Tool {
  const { name, description, input: schema, timeoutMs, maxAttempts, effect, whenStopped } = definition;
  const effectOf = (input: JsonValue): Effect => {
    const parsed = schema.safeParse(input);
    if (!parsed.success) return 'write';
    return typeof effect === 'function' ? effect(parsed.data) : effect;
  };
  const problemWith = (input: JsonValue) => {
    const parsed = schema.safeParse(input);
    return parsed.success ? undefined : z.prettifyError(parsed.error);
  };
  return {
    spec: { name, description, inputSchema: z.toJSONSchema(schema, { io: 'input' }) as JsonValue },
    timeoutMs,
    maxAttempts,
    effectOf,
    finishes: (input) => (whenStopped ?? (effectOf(input) === 'write' ? 'finish' : 'cancel')) === 'finish',
    problemWith,
    async run(input, context) {
      const parsed = schema.safeParse(input);
      if (!parsed.success) throw new DomainError('tool/invalid-input', z.prettifyError(parsed.error));
      return definition.run(parsed.data, context);
    },
  };
}
