import { randomUUID } from 'node:crypto';
import { valkeyKeys } from '../../contracts/names';
import type { TenantChanges } from '../../ports/tenant-changes';
import type { Valkey } from './connection';

/** No number that is counted up: it would begin anew, and be one that was there before, when Valkey has lost it. */
export const createTenantChanges = ({ commands }: Pick<Valkey, 'commands'>): TenantChanges => ({
  async announce() {
    await commands.set(valkeyKeys.tenantChange, randomUUID()).catch(() => undefined);
  },
  latest: () => commands.get(valkeyKeys.tenantChange).then(
    (change) => change ?? undefined,
    () => undefined,
  ),
});
