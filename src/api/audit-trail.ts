import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AuditActor, AuditEvent, AuditOutcome } from '../contracts/audit';
import { DomainError } from '../contracts/errors';
import { auditChainOf } from '../contracts/names';
import { AuditTally, outcomeOf } from '../domain/audit';
import type { AuditLog } from '../ports/audit';
import type { TenantRegistry } from '../ports/tenant-registry';
import { atIntervals } from './at-intervals';

/** Ends of changes that wait to be written. Behind that many no further change is let in: it could not be recorded either. */
const mostWaiting = 10_000;
const retryAfterMs = 500;
/** How long an end waits for the next change of its tenant's, to be written with its beginning. */
const endsWithinMs = 200;
/** A process that ends waits this long for its last entries. */
const lastCallMs = 900;

export interface AuditTrailOptions {
  readonly audit: AuditLog;
  readonly registry: Pick<TenantRegistry, 'get'>;
  /** How often counted requests are written down. */
  readonly intervalMs: number;
  readonly logger: Logger;
}

/** Who asks for what, as far as it is known when it is written down. */
export interface AuditedRequest {
  /** The tenant it names. */
  readonly tenantId: string | undefined;
  readonly actor: AuditActor;
  /** Method and path, its parameters in braces. */
  readonly action: string;
  readonly object: string;
  readonly requestId: string;
  readonly address: string | undefined;
}

/** How a request ended. */
export interface Ending {
  readonly status: number;
  readonly code?: string | undefined;
  readonly isDenial?: boolean;
  readonly result?: string | undefined;
}

/**
 * Writes down what this process was asked. A change is recorded before it is made, and refused when it cannot be; what came of it follows soon
 * after, as do denials, counted: no request waits for those. See docs/decisions/0054-audit-log.md.
 */
export class AuditTrail {
  private readonly tally = new AuditTally();
  private readonly stopping = new AbortController();
  private readonly open = new Set<Promise<void>>();
  /** By chain: what will be written with the next beginning, or soon. */
  private readonly ends = new Map<string, AuditEvent[]>();
  private waiting = 0;
  private loop: Promise<void> | undefined;
  private isFailing = false;

  constructor(private readonly options: AuditTrailOptions) {}

  start(): void {
    this.loop ??= atIntervals(this.options.intervalMs, this.stopping.signal, () => this.flush());
  }

  /** Writes what is left, within a second. */
  async stop(): Promise<void> {
    this.stopping.abort();
    const lastCall = delay(lastCallMs, undefined, { ref: false });
    const all = async () => {
      for (const chain of this.ends.keys()) this.writeEnds(chain);
      await this.loop;
      await this.flush();
      await Promise.all(this.open);
    };
    await Promise.race([all(), lastCall]);
  }

  /**
   * Records that a change is about to be made. @returns what tells how it ended.
   * @throws DomainError `audit/unavailable`: then it must not be made.
   */
  async begin(request: AuditedRequest): Promise<(ending: Ending) => void> {
    if (this.waiting >= mostWaiting) throw new DomainError('audit/unavailable', 'Too much waits to be recorded: this was not done. Try again later.');
    const chain = auditChainOf(request.tenantId);
    this.writeEnds(chain);
    await this.options.audit.append(chain, [eventOf(request, 'begun')]);
    return (ending) => this.end(chain, eventOf(request, outcomeOf(ending.status, ending.isDenial), ending));
  }

  /** Counts a request that changed nothing, or that nobody needs to be known for; it is written down within the interval. */
  count(request: AuditedRequest, ending: Ending): void {
    const { tenantId } = request;
    this.tally.add({ tenantId, ...eventOf(request, outcomeOf(ending.status, ending.isDenial), ending) });
  }

  private end(chain: string, event: AuditEvent): void {
    this.waiting += 1;
    const others = this.ends.get(chain);
    if (others) others.push(event);
    else {
      this.ends.set(chain, [event]);
      setTimeout(() => this.writeEnds(chain), endsWithinMs).unref();
    }
  }

  private writeEnds(chain: string): void {
    const events = this.ends.get(chain);
    if (!events) return;
    this.ends.delete(chain);
    const written = this.insist(chain, events).finally(() => {
      this.waiting -= events.length;
      this.open.delete(written);
    });
    this.open.add(written);
  }

  /** Until it is written, or the process ends: then its beginning stands without it. */
  private async insist(chain: string, events: readonly AuditEvent[]): Promise<void> {
    while (!(await this.tryToWrite(chain, events))) await delay(retryAfterMs, undefined, { ref: false });
  }

  /** What could not be written is counted on with what comes. */
  private async flush(): Promise<void> {
    const chains = new Map<string, ReturnType<AuditTally['take']>>();
    for (const counted of this.tally.take()) {
      const chain = await this.chainOf(counted.tenantId);
      chains.set(chain, [...(chains.get(chain) ?? []), counted]);
    }
    for (const [chain, counted] of chains)
      if (!(await this.tryToWrite(chain, counted.map(({ event }) => event)))) for (const { tenantId, event } of counted) this.tally.add({ tenantId, ...event });
  }

  /** Only tenants there are have a chain: strangers make none by naming what they like. */
  private async chainOf(tenantId: string | undefined): Promise<string> {
    if (tenantId === undefined) return auditChainOf(undefined);
    const isKnown = await this.options.registry.get(tenantId).catch(() => undefined);
    return auditChainOf(isKnown && tenantId);
  }

  private async tryToWrite(chain: string, events: readonly AuditEvent[]): Promise<boolean> {
    try {
      await this.options.audit.append(chain, events);
      this.isFailing = false;
      return true;
    } catch (error) {
      if (!this.isFailing) this.options.logger.error({ err: error, waiting: this.waiting, counted: this.tally.size }, 'the audit log cannot be written: changes are refused, what was denied is counted');
      this.isFailing = true;
      return false;
    }
  }
}

const eventOf = ({ actor, action, object, requestId, address }: AuditedRequest, outcome: AuditOutcome, { status, code, result }: Partial<Ending> = {}): AuditEvent => ({
  at: new Date().toISOString(),
  actor,
  action,
  object,
  outcome,
  ...(status !== undefined && { status }),
  ...(code !== undefined && { code }),
  requestId,
  ...(address !== undefined && { address }),
  ...(result !== undefined && { result }),
});
