import { hash32 } from '../contracts/hash32';

/** A process that dies takes no tenant along. */
const fewestWorkersEach = 2;

export interface Deployment {
  readonly workerIds: readonly string[];
  readonly tenantIds: readonly string[];
  /** How many tenants a worker process serves, where that leaves two processes for each tenant. */
  readonly tenantsPerWorker: number;
}

/**
 * The tenants that one of the worker processes serves. Each tenant has as many processes as there is room for, two at least, picked by
 * rendezvous hashing: all processes come to the same result without asking each other, and one that comes or goes moves no tenant
 * from one of the others to another.
 */
export function tenantsServedBy(workerId: string, { workerIds, tenantIds, tenantsPerWorker }: Deployment): readonly string[] {
  const workersEach = Math.max(fewestWorkersEach, (workerIds.length * tenantsPerWorker) / tenantIds.length);
  if (workersEach >= workerIds.length) return tenantIds;
  const own = hash32(workerId);
  const others = workerIds.filter((id) => id !== workerId).map(hash32);
  return tenantIds.filter((tenantId) => {
    const tenant = hash32(tenantId);
    const ownRank = scattered(own ^ tenant);
    const ahead = others.filter((other) => scattered(other ^ tenant) < ownRank).length;
    // 2.3 processes each are three for three tenants of ten: one tenant more or less changes little.
    return ahead < Math.floor(workersEach + tenant / 2 ** 32);
  });
}

/** MurmurHash3's finalizer: a bit more or less in changes half of the 32 that come out. */
function scattered(bits: number): number {
  const once = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return (twice ^ (twice >>> 16)) >>> 0;
}
