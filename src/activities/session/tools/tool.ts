import { z } from 'zod';
import type { Ruling } from '../../../contracts/approval';
import type { CalledAgent } from '../../../contracts/called-agent';
import { DomainError } from '../../../contracts/errors';
import type { JsonValue, ToolSpec } from '../../../contracts/model';
import type { Question } from '../../../contracts/question';
import type { AgentConfig } from '../../../contracts/tenant';
import type { MemoryOwner } from '../../../ports/memory';
import { schemaCheck } from '../../../contracts/json-schema';
import type { DoneCall } from '../../../domain/source-undo';

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

/** How a done call is taken back. */
export interface Undoing {
  /** The tool that is called for it, if it is another one: the agent's policy must not deny that. */
  readonly by?: { readonly tool: string; readonly input: JsonValue };
  /** Whether it can be repeated when nobody knows what became of it. */
  readonly mayRepeat: boolean;
  /** @throws DomainError as a tool's `run` does. @param context - with an `idempotencyKey` of its own. */
  run(context: ToolContext): Promise<void>;
}

/** What every tool says of its calls, wherever its schemas come from. */
interface ToolTerms {
  /** Of one attempt. */
  readonly timeoutMs: number;
  readonly maxAttempts: number;
  /** Calls of it that run at once in one step. Default: all that the model asks for. */
  readonly maxAtOnce?: number;
  /** For calls that no rule of the agent's policy fits. Default: what the policy says of the effect; without a policy, allow. */
  readonly approval?: Ruling;
  /** When its turn is stopped. Default: a `write` that has begun is left to finish, for nobody could say what became of it. */
  readonly whenStopped?: 'cancel' | 'finish';
  /** Of a tool that is another agent: which. A session is opened for it in place of running. */
  readonly agent?: CalledAgent;
}

export interface ToolDefinition<Input extends z.ZodType, Output extends z.ZodType> extends ToolTerms {
  /** 1-64 of A-Za-z0-9_-, as Converse asks. */
  readonly name: string;
  /** For the model: when to use it, and what comes back. */
  readonly description: string;
  readonly input: Input;
  readonly output: Output;
  /** Of all its calls, or of the one with this input. */
  readonly effect: Effect | ((input: z.output<Input>) => Effect);
  /** Whether the target of a write tells a repetition by its key, so that one whose outcome is not known may be repeated. Default: no. */
  mayRepeat?(input: z.output<Input>, agent: AgentConfig): boolean;
  /** Of a tool that asks the user: what. The answer is its result then, and `run` is for turns without a user. */
  questionOf?(input: z.output<Input>): Question;
  /**
   * @throws DomainError `tool/unreachable` or `tool/busy` when nothing has happened, to be tried again; with another retryable code
   * when something may have; with any other to tell the model at once.
   */
  run(input: z.output<Input>, context: ToolContext): Promise<z.output<Output> & JsonValue>;
  /** Takes back what a done call has done; the same again is fine. Default: it cannot be. @throws as `run` */
  undo?(done: { readonly input: z.output<Input>; readonly output: z.output<Output> }, context: ToolContext): Promise<void>;
}

/** The same with JSON Schemas (2020-12) that others wrote. */
export interface ToolParts extends ToolTerms {
  readonly spec: ToolSpec;
  readonly outputSchema?: JsonValue;
  effectOf(input: JsonValue): Effect;
  mayRepeat?(input: JsonValue, agent: AgentConfig): boolean;
  questionOf?(input: JsonValue): Question | undefined;
  /** `nothing`: the call has done nothing. Undefined: it cannot be taken back. */
  undoing?(done: DoneCall): Undoing | 'nothing' | undefined;
  run(input: JsonValue, context: ToolContext): Promise<JsonValue>;
}

/** A tool as the rest of the code sees it: input and output checked, both JSON. */
export interface Tool {
  readonly spec: ToolSpec;
  readonly timeoutMs: number;
  readonly maxAttempts: number;
  readonly maxAtOnce: number | undefined;
  readonly approval: Ruling | undefined;
  /** Set for a tool that is another agent: its calls have a session of their own. */
  readonly agent: CalledAgent | undefined;
  /** `write` when the input does not fit: the worst is assumed. */
  effectOf(input: JsonValue): Effect;
  mayRepeat(input: JsonValue, agent: AgentConfig): boolean;
  /** What to ask the user in place of running; undefined for a tool that asks nobody, and for an input that does not fit. */
  questionOf(input: JsonValue): Question | undefined;
  /** Whether such a call, once begun, is left to finish when its turn is stopped. */
  finishes(input: JsonValue): boolean;
  /** What is wrong with an input, in words for the model; undefined when nothing is. */
  problemWith(input: JsonValue): string | undefined;
  /** How a done call is taken back; `nothing` of one that has done nothing, undefined where that cannot be. */
  undoing(done: DoneCall): Undoing | 'nothing' | undefined;
  /** @throws DomainError `tool/invalid-input`, `tool/bad-output`, and what the tool throws */
  run(input: JsonValue, context: ToolContext): Promise<JsonValue>;
}

/** A tool from its parts. @param problemWith - default: what the input's schema says. */
export function createTool(parts: ToolParts, problemWith = schemaCheck(parts.spec.inputSchema)): Tool {
  const { spec, outputSchema, timeoutMs, maxAttempts, maxAtOnce, approval, whenStopped, agent } = parts;
  const problemWithOutput = outputSchema === undefined ? () => undefined : schemaCheck(outputSchema);
  const effectOf = (input: JsonValue): Effect => (problemWith(input) === undefined ? parts.effectOf(input) : 'write');
  return {
    spec,
    timeoutMs,
    maxAttempts,
    maxAtOnce,
    approval,
    agent,
    effectOf,
    mayRepeat: (input, settings) => parts.mayRepeat?.(input, settings) ?? false,
    finishes: (input) => (whenStopped ?? (effectOf(input) === 'write' ? 'finish' : 'cancel')) === 'finish',
    problemWith,
    questionOf: (input) => (problemWith(input) === undefined ? parts.questionOf?.(input) : undefined),
    undoing: (done) => (effectOf(done.input) === 'read' ? 'nothing' : parts.undoing?.(done)),
    async run(input, context) {
      const problem = problemWith(input);
      if (problem !== undefined) throw new DomainError('tool/invalid-input', problem);
      const output = await parts.run(input, context);
      const flaw = problemWithOutput(output);
      if (flaw !== undefined) throw new DomainError('tool/bad-output', `${spec.name} ran, but its answer does not fit its schema: ${flaw}.`);
      return output;
    },
  };
}

/** A built-in tool: its schemas are zod's, and input reaches it parsed. */
export function defineTool<Input extends z.ZodType, Output extends z.ZodType>(definition: ToolDefinition<Input, Output>): Tool {
  const { name, description, input: schema, output, effect, timeoutMs, maxAttempts, maxAtOnce, approval, whenStopped, agent } = definition;
  const optional = { ...(agent && { agent }), ...(maxAtOnce !== undefined && { maxAtOnce }), ...(approval && { approval }), ...(whenStopped && { whenStopped }) };
  const parts: ToolParts = {
    timeoutMs,
    maxAttempts,
    ...optional,
    spec: { name, description, inputSchema: z.toJSONSchema(schema, { io: 'input' }) as JsonValue },
    outputSchema: z.toJSONSchema(output, { io: 'output' }) as JsonValue,
    effectOf: (input) => (typeof effect === 'function' ? effect(schema.parse(input)) : effect),
    mayRepeat: (input, settings) => definition.mayRepeat?.(schema.parse(input), settings) ?? false,
    ...(definition.questionOf && { questionOf: (input: JsonValue) => definition.questionOf?.(schema.parse(input)) }),
    undoing: ({ input, output: made }) => {
      const [given, got] = [schema.safeParse(input), output.safeParse(made)];
      return definition.undo && given.success && got.success ? { mayRepeat: true, run: async (context) => definition.undo?.({ input: given.data, output: got.data }, context) } : undefined;
    },
    run: (input, context) => definition.run(schema.parse(input), context),
  };
  return createTool(parts, (input) => {
    const parsed = schema.safeParse(input);
    return parsed.success ? undefined : z.prettifyError(parsed.error);
  });
}
