import { z } from 'zod';

/** What happens to a request instead of the usual. */
export const Fault = z.discriminatedUnion('kind', [
  /** Answered with an error; the service never hears of it. `status` counts for HTTP only; for Temporal, `code` is gRPC's name. */
  z.object({ kind: z.literal('refuse'), code: z.string(), message: z.string().default('refused on the wire'), status: z.number().int().default(400) }),
  /** Done by the service; the connection breaks before its answer arrives. */
  z.object({ kind: z.literal('lose-answer') }),
  /** Neither passed on nor answered. */
  z.object({ kind: z.literal('never-answer') }),
  /** Done by the service (or not, without `effect`); its answer waits until the rule is released. */
  z.object({ kind: z.literal('hold'), effect: z.boolean().default(true) }),
  /** Texts in the answer are replaced: what the service did is told differently. */
  z.object({ kind: z.literal('rewrite'), replace: z.array(z.object({ from: z.string(), to: z.string() })) }),
]);
export type Fault = z.output<typeof Fault>;

/** Which requests. All that is given must hold. */
export const Match = z.object({
  /** As in SigV4's credential scope (`dynamodb`, `s3`, `bedrock-agentcore` …), or `temporal`. */
  service: z.string(),
  /** `PutItem`, `CreateStack`, `TerminateWorkflowExecution`; of REST services the beginning of `METHOD /path`. */
  action: z.string().default(''),
  /** Texts that are in the address or the body. */
  includes: z.array(z.string()).default([]),
  excludes: z.array(z.string()).default([]),
});
export type Match = z.output<typeof Match>;

export const Rule = z.object({
  match: Match,
  fault: Fault,
  /** How many requests it meets. Absent: all, until it is removed. */
  count: z.number().int().min(1).optional(),
});
export type Rule = z.output<typeof Rule>;

/** A request on the wire, as far as rules look at it. */
export interface WireRequest {
  readonly service: string;
  readonly action: string;
  readonly text: string;
}

interface Watch {
  readonly match: Match;
  readonly onRequest: (request: WireRequest) => Promise<void> | void;
}

function isMatch(match: Match, { service, action, text }: WireRequest): boolean {
  if (match.service !== service || !action.startsWith(match.action)) return false;
  return match.includes.every((part) => text.includes(part)) && !match.excludes.some((part) => text.includes(part));
}

/** A rule in force. */
export class ActiveRule {
  hits = 0;
  /** The first request that met it. */
  readonly reached: Promise<void>;
  private signalReached: () => void = () => undefined;
  private readonly released: Promise<void>;
  private signalReleased: () => void = () => undefined;

  constructor(
    readonly id: number,
    readonly rule: Rule,
    private readonly forget: (rule: ActiveRule) => void,
  ) {
    this.reached = new Promise((resolve) => (this.signalReached = resolve));
    this.released = new Promise((resolve) => (this.signalReleased = resolve));
  }

  get isSpent(): boolean {
    return this.rule.count !== undefined && this.hits >= this.rule.count;
  }

  matches(request: WireRequest): boolean {
    return isMatch(this.rule.match, request);
  }

  meet(): void {
    this.hits += 1;
    this.signalReached();
  }

  /** Resolves once `remove` was called. */
  held(): Promise<void> {
    return this.released;
  }

  /** From now on requests pass; those that are held go on. */
  remove(): void {
    this.forget(this);
    this.signalReleased();
  }
}

/** The rules of one proxy, in the order they were given: the first that matches decides. */
export class RuleBook {
  private readonly rules = new Set<ActiveRule>();
  private readonly watches = new Set<Watch>();
  private lastId = 0;

  /** @param rule - see {@link Rule}. */
  add(rule: z.input<typeof Rule>): ActiveRule {
    this.lastId += 1;
    const active = new ActiveRule(this.lastId, Rule.parse(rule), (gone) => this.rules.delete(gone));
    this.rules.add(active);
    return active;
  }

  all(): readonly ActiveRule[] {
    return [...this.rules];
  }

  clear(): void {
    for (const rule of this.rules) rule.remove();
  }

  /**
   * Calls for each request that matches, before any rule is looked up: it may add one, and the request waits for it.
   * @returns ends the watch.
   */
  watch(match: z.input<typeof Match>, onRequest: (request: WireRequest) => Promise<void> | void): () => void {
    const watch = { match: Match.parse(match), onRequest };
    this.watches.add(watch);
    return () => void this.watches.delete(watch);
  }

  /** The rule this request meets now; it is counted. */
  async take(request: WireRequest): Promise<ActiveRule | undefined> {
    for (const { match, onRequest } of this.watches) if (isMatch(match, request)) await onRequest(request);
    const rule = this.all().find((candidate) => !candidate.isSpent && candidate.matches(request));
    rule?.meet();
    return rule;
  }
}
