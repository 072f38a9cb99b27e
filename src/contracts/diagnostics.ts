import { z } from 'zod';

/** Who takes work from a queue of Temporal's. */
export const QueueService = z.object({
  queue: z.string(),
  /** Workers that asked for work within the last minute and a half, and are given it. */
  pollers: z.number().int().min(0),
  /** Versions of workers that ask for it, too, and are given none: neither current, nor given a part. Absent when there are none. */
  idleVersions: z.array(z.string()).optional(),
  /** When one asked last; absent when none is remembered. */
  lastPolledAt: z.iso.datetime().optional(),
});
export type QueueService = z.infer<typeof QueueService>;

/** How the platform is, as an operator sees it from inside. */
export const Diagnostics = z.object({
  version: z.string(),
  dependencies: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
  /** The platform's queues, and those of working tenants that nobody serves. */
  queues: z.array(QueueService),
  /** Working tenants whose queues were looked at, and whether these are all. */
  tenants: z.object({
    checked: z.number().int(),
    isComplete: z.boolean(),
    /** Tenants whose entries in the registry cannot be read; absent when there are none. */
    unreadable: z.array(z.string()).optional(),
  }),
});
export type Diagnostics = z.infer<typeof Diagnostics>;
