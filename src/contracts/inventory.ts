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
