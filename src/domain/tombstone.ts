import type { TenantRecord } from '../contracts/tenant';

/**
 * Why the id of a deleted tenant cannot be given back yet: until its keys are gone, somebody could still call their deletion
 * off and read what copies there may be of the old tenant's data. Undefined when it can.
 */
export function keptBecause({ tenantId, status, tombstone }: Pick<TenantRecord, 'tenantId' | 'status' | 'tombstone'>, nowMs: number): string | undefined {
  if (status !== 'deleted') return `Tenant ${tenantId} is ${status}: only the id of a deleted tenant can be given back.`;
  const { keysDeletedAt } = tombstone ?? {};
  if (keysDeletedAt === undefined || Date.parse(keysDeletedAt) <= nowMs) return undefined;
  return `The keys of ${tenantId} are deleted on ${keysDeletedAt}. Come back then, or send force=true and a reason.`;
}
