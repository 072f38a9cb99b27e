import { setTimeout as delay } from 'node:timers/promises';
import type { Worker } from '@temporalio/worker';
import { taskQueues } from '../contracts/names';
import type { TenantStatus } from '../contracts/tenant';
import type { Tiers } from '../contracts/tiers';
import { definitionOf } from '../domain/tiers';
import type { Logger } from '../logging';
import type { TenantRegistry } from '../ports/tenant-registry';
import { ActivitySlots } from './activity-slots';

/** A leaving tenant is served until it is gone: its drain, backup and farewell run on its own queue. */
const servedStatuses: readonly TenantStatus[] = ['provisioning', 'active', 'suspended', 'offboarding'];

export interface TenantWorkersOptions {
  readonly registry: TenantRegistry;
  readonly createWorker: (taskQueue: string, slots: ActivitySlots) => Promise<Worker>;
  readonly tiers: Tiers;
  readonly intervalMs: number;
  readonly logger: Logger;
}

/** One worker per tenant, on the tenant's own queue, kept in step with the registry. */
export class TenantWorkers {
  private readonly running = new Map<string, { worker: Worker; slots: ActivitySlots; ended: Promise<void> }>();
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;

  constructor(private readonly options: TenantWorkersOptions) {}

  start(): void {
    this.loop ??= this.reconcileForever();
  }

  /** Stops all of them; activities under way get their grace time. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.loop;
    await Promise.all([...this.running.keys()].map((tenantId) => this.stopServing(tenantId)));
  }

  private async reconcileForever(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await this.reconcile().catch((error: unknown) => this.options.logger.warn({ err: error }, 'could not read the registry; tenants are served as before'));
      await delay(this.options.intervalMs, undefined, { signal }).catch(() => undefined);
    }
  }

  private async reconcile(): Promise<void> {
    const wanted = await this.servedTenants();
    const leaving = [...this.running.keys()].filter((tenantId) => !wanted.has(tenantId));
    const coming = [...wanted].filter(([tenantId]) => !this.running.has(tenantId));
    for (const [tenantId, slots] of wanted) this.resize(tenantId, slots);
    await Promise.all([...leaving.map((tenantId) => this.stopServing(tenantId)), ...coming.map(([tenantId, slots]) => this.serve(tenantId, slots))]);
  }

  /** Their tier may have changed: what runs goes on, and as many may begin as there is room for now. */
  private resize(tenantId: string, activitySlots: number): void {
    const { slots } = this.running.get(tenantId) ?? {};
    if (!slots || slots.size === activitySlots) return;
    slots.resize(activitySlots);
    this.options.logger.info({ tenantId, activitySlots }, 'the tenant has another number of slots');
  }

  /** Tenants by id, with the slots their tier gives them. */
  private async servedTenants(): Promise<Map<string, number>> {
    const served = new Map<string, number>();
    let cursor: string | undefined;
    do {
      const page = await this.options.registry.list({ limit: 500, ...(cursor !== undefined && { cursor }) });
      for (const { tenantId, status, tier } of page.tenants)
        if (servedStatuses.includes(status)) served.set(tenantId, definitionOf(this.options.tiers, tier).activitySlots);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return served;
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

  private async stopServing(tenantId: string): Promise<void> {
    const entry = this.running.get(tenantId);
    if (!entry) return;
    if (entry.worker.getState() === 'RUNNING') entry.worker.shutdown();
    await entry.ended;
    this.options.logger.info({ tenantId }, 'no longer serving tenant');
  }
}
