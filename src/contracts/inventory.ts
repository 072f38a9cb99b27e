import { z } from 'zod';

/** Something a tenant owns, wherever it lies. */
export const OwnedResource = z.object({
  /** `cloudformation`, `cognito`, `kms`, `temporal` … */
  service: z.string(),
  /** `stack`, `user-pool`, `key`, `workflow` … */
  type: z.string(),
  name: z.string(),
  /** The service's own word for how it is (`CREATE_COMPLETE`, `PendingDeletion`), or a count (`12`, `1000+`). */
  state: z.string().optional(),
});
export type OwnedResource = z.infer<typeof OwnedResource>;

/** A kind of thing a tenant may own, and the calls that tell whether there is any. */
export const ResourceCheck = OwnedResource.pick({ service: true, type: true }).extend({
  /** As the service's API names them: `DescribeStacks`. */
  call: z.string(),
});
export type ResourceCheck = z.infer<typeof ResourceCheck>;

/** A look at all that a tenant owns: what was looked for, and what was found. */
export const InventoryReport = z.object({
  resources: z.array(OwnedResource),
  /** Every kind there is, those of which nothing was found too. */
  checks: z.array(ResourceCheck.extend({ checkedAt: z.iso.datetime(), found: z.number().int().min(0) })),
});
export type InventoryReport = z.infer<typeof InventoryReport>;
