import { z } from 'zod';
import { type ConverseRequest, textOf } from './protocol';

const Call = z.object({ name: z.string(), input: z.json().optional(), rawInput: z.string().optional() });

export const ScriptStep = z.object({
  /** What it thinks before, where it is asked to reason. */
  think: z.string().optional(),
  /** Whether only its maker can read that. */
  redacted: z.boolean().optional(),
  say: z.string().default(''),
  calls: z.array(Call).default([]),
  /** Default: `tool_use` with calls, `end_turn` without. */
  stopReason: z.string().optional(),
  usage: z.object({ inputTokens: z.number().int(), outputTokens: z.number().int() }).optional(),
  fail: z
    .union([z.object({ kind: z.enum(['throttling', 'unavailable', 'validation', 'too-long', 'internal']), retryAfterSeconds: z.number().int().min(0).optional() }), z.object({ kind: z.enum(['stream-error', 'disconnect']), after: z.number().int().min(0) })])
    .optional(),
  firstTokenMs: z.number().min(0).optional(),
  msPerToken: z.number().min(0).optional(),
  /** Stops after so many words until `release` is called for the script. */
  holdAfter: z.number().int().min(0).optional(),
});
export type ScriptStep = z.output<typeof ScriptStep>;

export const Script = z.object({
  /** Used by requests whose latest words of the user contain this. */
  match: z.string().min(1),
  /** Of requests to this model only. */
  modelId: z.string().optional(),
  /** One a request, in order. */
  steps: z.array(ScriptStep).min(1),
  /** Begins again after the last step; otherwise the rules answer from then on. */
  repeat: z.boolean().default(false),
});
export type Script = z.input<typeof Script>;

interface Running {
  readonly script: z.output<typeof Script>;
  next: number;
}

/** What tests and benchmarks have told the model to say. */
export class Scripts {
  private readonly byMatch = new Map<string, Running>();
  /** Apart from the scripts: a new script for the same words must not lose what the old one holds. */
  private readonly held = new Map<string, Set<() => void>>();

  add(script: z.output<typeof Script>): void {
    this.byMatch.set(`${script.match} ${script.modelId ?? ''}`, { script, next: 0 });
  }

  clear(): void {
    for (const match of this.held.keys()) this.release(match);
    this.byMatch.clear();
  }

  take({ messages }: ConverseRequest, asked: string): { step: ScriptStep; hold: (left: AbortSignal) => Promise<void> } | undefined {
    const said = textOf(messages.findLast((message) => message.role === 'user' && textOf(message) !== ''));
    for (const running of this.byMatch.values()) {
      const { match, modelId = asked, steps, repeat } = running.script;
      if (!said.includes(match) || modelId !== asked) continue;
      const step = steps[repeat ? running.next % steps.length : running.next];
      if (!step) continue;
      running.next += 1;
      return { step, hold: (left) => this.hold(match, left) };
    }
    return undefined;
  }

  /** @returns how many streams went on. */
  release(match: string): number {
    const held = [...(this.held.get(match) ?? [])];
    this.held.delete(match);
    for (const go of held) go();
    return held.length;
  }

  holding(match: string): number {
    return this.held.get(match)?.size ?? 0;
  }

  /** Until it is released, or its caller has left. */
  private hold(match: string, left: AbortSignal): Promise<void> {
    if (left.aborted) return Promise.resolve();
    const held = this.held.get(match) ?? new Set();
    this.held.set(match, held);
    return new Promise((resolve) => {
      held.add(resolve);
      left.addEventListener('abort', () => {
        held.delete(resolve);
        resolve();
      });
    });
  }
}
