import type { TenantStatus } from '../contracts/tenant';
import type { Tiers } from '../contracts/tiers';
import { pagesOf } from '../domain/pages';
import { definitionOf } from '../domain/tiers';
import type { Logger } from '../logging';
import type { TenantChanges } from '../ports/tenant-changes';
import type { TenantRegistry } from '../ports/tenant-registry';

/** A leaving tenant is served until it is gone: its drain, backup and farewell run on its own queue. */
const servedStatuses: readonly TenantStatus[] = ['provisioning', 'active', 'suspended', 'offboarding'];

export interface ServedTenantsOptions {
  readonly registry: Pick<TenantRegistry, 'list'>;
  readonly changes: TenantChanges;
  readonly tiers: Tiers;
  /** Age at which it is read anew although nobody announced a change. */
  readonly mostAgeMs: number;
  readonly logger: Logger;
}

/** Tenants that workers serve, by id, with the slots their tiers give them. */
export type ActivitySlotsOf = ReadonlyMap<string, number>;

/** What the registry says of whom to serve. All of it is read only when it has changed: a thousand entries a second are dear. */
export class ServedTenants {
  private known: { readonly change: string | undefined; readonly readAtMs: number; readonly tenants: ActivitySlotsOf } | undefined;
  private damaged = '';

  constructor(private readonly options: ServedTenantsOptions) {}

  async look(): Promise<ActivitySlotsOf> {
    const { changes, mostAgeMs } = this.options;
    const change = await changes.latest();
    const { known } = this;
    const nowMs = performance.now();
    if (known && change !== undefined && change === known.change && nowMs - known.readAtMs < mostAgeMs) return known.tenants;
    const tenants = await this.read();
    // The change from before: what was announced while it was read is read again.
    this.known = { change, readAtMs: nowMs, tenants };
    return tenants;
  }

  private async read(): Promise<ActivitySlotsOf> {
    const { registry, tiers } = this.options;
    const served = new Map<string, number>();
    const damaged: string[] = [];
    for await (const { tenants, unreadable } of pagesOf((from) => registry.list({ limit: 500, ...from }))) {
      for (const { tenantId, status, tier } of tenants) if (servedStatuses.includes(status)) served.set(tenantId, definitionOf(tiers, tier).activitySlots);
      for (const tenantId of unreadable) served.set(tenantId, definitionOf(tiers, 'standard').activitySlots);
      damaged.push(...unreadable);
    }
    this.complain(damaged.join(', '));
    return served;
  }

  /** Once of each. */
  private complain(damaged: string): void {
    if (damaged !== '' && damaged !== this.damaged) this.options.logger.error(`the registry's entries of these tenants cannot be read; they are served as of tier standard: ${damaged}`);
    this.damaged = damaged;
  }
}
