import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from '@temporalio/worker';
import { taskQueues } from '../contracts/names';
import { tenantsServedBy } from '../domain/tenant-shares';
import type { Logger } from '../logging';
import { ActivitySlots } from './activity-slots';
import type { Colleagues } from './colleagues';
import type { ServedTenants } from './served-tenants';

export interface TenantWorkersOptions {
  readonly servedTenants: ServedTenants;
  readonly colleagues: Colleagues;
  readonly tenantsPerWorker: number;
  readonly createWorker: (taskQueue: string, slots: ActivitySlots) => Promise<Worker>;
  readonly intervalMs: number;
  readonly logger: Logger;
}

interface TenantWorker {
  readonly worker: Worker;
  readonly slots: ActivitySlots;
  readonly ended: Promise<void>;
}

/** One worker per tenant of this process's share, on the tenant's own queue, kept in step with the registry and with the other processes. */
export class TenantWorkers {
  private readonly running = new Map<string, TenantWorker>();
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;
  private shareInWords = '';

  constructor(private readonly options: TenantWorkersOptions) {}

  start(): void {
    this.loop ??= this.reconcileForever();
  }

  /** Stops all of them; activities under way get their grace time. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.loop;
    await this.options.colleagues.leave();
    await Promise.all([...this.running].map(([tenantId, tenantWorker]) => this.shutDown(tenantId, tenantWorker)));
  }

  private async reconcileForever(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await this.reconcile().catch((error: unknown) => this.options.logger.warn({ err: error }, 'could not read the registry; tenants are served as before'));
      await delay(this.options.intervalMs, undefined, { signal }).catch(() => undefined);
    }
  }

  private async reconcile(): Promise<void> {
    const wanted = await this.share();
    for (const [tenantId, tenantWorker] of this.running) this.adjust(tenantId, tenantWorker, wanted.get(tenantId) ?? 0);
    const coming = [...wanted].filter(([tenantId]) => !this.running.has(tenantId));
    await Promise.all(coming.map(([tenantId, activitySlots]) => this.serve(tenantId, activitySlots)));
  }

  /** The tenants this process is to serve, with the slots their tiers give them. */
  private async share(): Promise<Map<string, number>> {
    const { servedTenants, colleagues, tenantsPerWorker, logger } = this.options;
    const [tenants, workerIds] = await Promise.all([servedTenants.look(), colleagues.look()]);
    const served = tenantsServedBy(colleagues.workerId, { workerIds, tenantIds: [...tenants.keys()], tenantsPerWorker });
    const inWords = `${served.length} of ${tenants.size} tenants are this process's to serve; worker processes: ${workerIds.length}`;
    if (inWords !== this.shareInWords) logger.info(inWords);
    this.shareInWords = inWords;
    return new Map(served.map((tenantId) => [tenantId, tenants.get(tenantId) ?? 0]));
  }

  /**
   * What runs goes on, and as many may begin as there is room for now.
   * @param activitySlots - 0 when it is not to be served here any more: its worker stops once nothing of it runs.
   */
  private adjust(tenantId: string, tenantWorker: TenantWorker, activitySlots: number): void {
    const { slots } = tenantWorker;
    if (slots.size !== activitySlots) {
      slots.resize(activitySlots);
      this.options.logger.info({ tenantId, activitySlots }, activitySlots === 0 ? 'handing the tenant over: what runs here may end, nothing begins' : 'the tenant has another number of slots');
    }
    if (activitySlots === 0 && slots.isIdle) void this.shutDown(tenantId, tenantWorker);
  }

  private async serve(tenantId: string, activitySlots: number): Promise<void> {
    const { createWorker, logger } = this.options;
    try {
      const slots = new ActivitySlots(activitySlots);
      const worker = await createWorker(taskQueues.tenant(tenantId), slots);
      const ended = worker.run().catch((error: unknown) => logger.error({ err: error, tenantId }, 'the tenant worker failed; it is started again'));
      this.running.set(tenantId, { worker, slots, ended });
      void ended.then(() => this.running.delete(tenantId));
      logger.info({ tenantId }, 'serving tenant');
    } catch (error) {
      logger.error({ err: error, tenantId }, 'could not start the tenant worker; it is tried again');
    }
  }

  private async shutDown(tenantId: string, { worker, ended }: TenantWorker): Promise<void> {
    if (worker.getState() !== 'RUNNING') return ended;
    worker.shutdown();
    await ended;
    this.options.logger.info({ tenantId }, 'no longer serving tenant');
  }
}
