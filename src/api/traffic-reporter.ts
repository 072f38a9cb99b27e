import type { Logger } from 'pino';
import { type AnsweredRequest, TrafficTally } from '../domain/traffic';
import type { Metrics, Reading } from '../ports/metrics';
import { atIntervals } from './at-intervals';

/** What waits for a CloudWatch that is away: some 20 MB, and no older than alarms look back. The oldest goes first. */
const mostKept = 50_000;
const keptForMs = 3 * 3_600_000;

/** A process that ends waits this long for its last figures to be taken. */
const lastCallMs = 900;

export interface TrafficReporterOptions {
  readonly metrics: Metrics;
  readonly intervalMs: number;
  readonly logger: Logger;
}

/**
 * Publishes what was asked by each tenant, of this process alone: CloudWatch adds up the replicas. No request waits for it, and none
 * fails with it. Figures whose publication failed are kept, within bounds, and published later with the time at which they were taken.
 */
export class TrafficReporter {
  private readonly tally = new TrafficTally();
  private readonly stopping = new AbortController();
  private readonly givingUp = new AbortController();
  private kept: Reading[] = [];
  private lost = 0;
  private isFailing = false;
  private loop: Promise<void> | undefined;

  constructor(private readonly options: TrafficReporterOptions) {}

  /** Counts a request. Never throws. */
  note(request: AnsweredRequest): void {
    this.tally.add(request);
  }

  start(): void {
    this.loop ??= atIntervals(this.options.intervalMs, this.stopping.signal, () => this.report());
  }

  /** Publishes what is left, within a second. */
  async stop(): Promise<void> {
    const lastCall = setTimeout(() => this.givingUp.abort(), lastCallMs);
    this.stopping.abort();
    await this.loop;
    await this.report();
    clearTimeout(lastCall);
    if (this.kept.length > 0) this.options.logger.warn({ lost: this.lost + this.kept.length }, 'the last metrics of requests were not published');
  }

  private async report(): Promise<void> {
    this.keep();
    try {
      while (this.kept.length > 0) this.kept.splice(0, await this.options.metrics.publish(this.kept, this.givingUp.signal));
      this.noteSuccess();
    } catch (error) {
      this.noteFailure(error);
    }
  }

  private keep(): void {
    const at = new Date();
    const all = [...this.kept, ...this.tally.take().map((figure) => ({ ...figure, at }))];
    this.kept = all.filter((reading) => at.getTime() - reading.at.getTime() < keptForMs).slice(-mostKept);
    this.lost += all.length - this.kept.length;
  }

  private noteSuccess(): void {
    if (this.isFailing) this.options.logger.info({ lost: this.lost }, 'metrics of requests are published again');
    this.isFailing = false;
    this.lost = 0;
  }

  /** Said once, however long it lasts. */
  private noteFailure(error: unknown): void {
    if (!this.isFailing) this.options.logger.warn({ err: error, kept: this.kept.length }, 'metrics of requests could not be published; they are kept, and requests go on');
    this.isFailing = true;
  }
}
