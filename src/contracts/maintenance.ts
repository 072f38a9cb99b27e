import { z } from 'zod';

/** A schedule that somebody has paused. */
export const PausedSchedule = z.object({
  /** Of its job. */
  name: z.string(),
  /** Who paused it, and why. */
  note: z.string(),
});
export type PausedSchedule = z.infer<typeof PausedSchedule>;

/** What each run of a tenant's job is started with. */
export interface TenantJobInput {
  readonly tenantId: string;
}
