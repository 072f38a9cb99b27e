import type { TenantRecord } from '../contracts/tenant';

interface Listing {
  readonly tenants: readonly TenantRecord[];
  /** Ids of those of whom nothing else is known. */
  readonly unreadable: readonly string[];
}

/** Ids of all that are listed. */
export const listedIds = ({ tenants, unreadable }: Listing): string[] => [...tenants.map(({ tenantId }) => tenantId), ...unreadable];

/** Ids of those that are not known to be deleted. */
export const presentIds = ({ tenants, unreadable }: Listing): string[] => listedIds({ tenants: tenants.filter(({ status }) => status !== 'deleted'), unreadable });
