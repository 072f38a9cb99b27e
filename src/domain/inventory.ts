import type { OwnedResource } from '../contracts/inventory';

/** The registry's entry is kept as a tombstone, the audit log until its time is over, and KMS deletes no key at once: all else is to go with its tenant. */
export const mayStay = ({ service, type, state }: OwnedResource): boolean =>
  service === 'registry' || service === 'audit' || (service === 'kms' && type === 'key' && state?.startsWith('Pending') === true);

/** What is left of a tenant that should be gone. */
export const leftovers = (owned: readonly OwnedResource[]): OwnedResource[] => owned.filter((resource) => !mayStay(resource));

/** `s3:bucket tenant-acme-data-bucket`, for operators. */
export const describeResource = ({ service, type, name, state }: OwnedResource): string => `${service}:${type} ${name}${state === undefined ? '' : ` (${state})`}`;
