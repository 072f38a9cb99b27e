import { z } from 'zod';
import { type ConverseRequest, textOf } from './protocol';

const Call = z.object({ name: z.string(), input: z.json().optional(), rawInput: z.string().optional() });

export const ScriptStep = z.object({
  say: z.string().default(''),
  calls: z.array(Call).default([]),
  /** Default: `tool_use` with calls, `end_turn` without. */
  stopReason: z.string().optional(),
  usage: z.object({ inputTokens: z.number().int(), outputTokens: z.number().int() }).optional(),
  fail: z
    .union([z.object({ kind: z.enum(['throttling', 'unavailable', 'validation', 'internal']) }), z.object({ kind: z.enum(['stream-error', 'disconnect']), after: z.number().int().min(0) })])
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
  /** One a request, in order. */
  steps: z.array(ScriptStep).min(1),
  /** Begins again after the last step; otherwise the rules answer from then on. */
  repeat: z.boolean().default(false),
});
export type Script = z.input<typeof Script>;

interface Running {
  readonly script: z.output<typeof Script>;
  next: number;
  readonly held: Set<() => void>;
}

/** What tests and benchmarks have told the model to say. */
export class Scripts {
  private readonly byMatch = new Map<string, Running>();

  add(script: z.output<typeof Script>): void {
    this.byMatch.set(script.match, { script, next: 0, held: new Set() });
  }

  clear(): void {
    for (const match of this.byMatch.keys()) this.release(match);
    this.byMatch.clear();
  }

  take({ messages }: ConverseRequest): { step: ScriptStep; hold: () => Promise<void> } | undefined {
    const said = textOf(messages.findLast((message) => message.role === 'user' && textOf(message) !== ''));
    for (const running of this.byMatch.values()) {
      const { match, steps, repeat } = running.script;
      if (!said.includes(match)) continue;
      const step = steps[repeat ? running.next % steps.length : running.next];
      if (!step) continue;
      running.next += 1;
      return { step, hold: () => new Promise((release) => running.held.add(release)) };
    }
    return undefined;
  }

  /** @returns how many streams went on. */
  release(match: string): number {
    const held = [...(this.byMatch.get(match)?.held ?? [])];
    this.byMatch.get(match)?.held.clear();
    for (const go of held) go();
    return held.length;
  }

  holding(match: string): number {
    return this.byMatch.get(match)?.held.size ?? 0;
  }
}
