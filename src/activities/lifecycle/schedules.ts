import type { PausedSchedule, ScheduleBefore } from '../../contracts/maintenance';
import { isPausedByOperation, restNote, wakeNote } from '../../domain/maintenance';
import type { Schedules } from '../../ports/schedules';

interface OfOperation {
  readonly tenantId: string;
  readonly operationId: string;
}

/** What runs by the clock for a tenant, through the tenant's life. */
export const createScheduleActivities = ({ schedules }: { readonly schedules: Schedules }) => ({
  /** @param input - `paused`: those that begin paused, as they were before they were deleted. */
  async createTenantSchedules({ tenantId, paused = [] }: OfOperation & { paused?: readonly PausedSchedule[] }): Promise<void> {
    await schedules.ensure(tenantId, paused);
  },

  /** All there are. Its own activity, so that the answer survives: once deleted, nobody knows. */
  async schedulesBeforeLeaving({ tenantId }: OfOperation): Promise<ScheduleBefore[]> {
    return (await schedules.list(tenantId)).map(({ name, paused, note }) => ({ name, paused, note }));
  },

  /** What they started ends with them. */
  async deleteTenantSchedules({ tenantId }: OfOperation): Promise<void> {
    await schedules.delete(tenantId);
  },

  /** For a tenant that rests; what somebody has paused before keeps its note. */
  async pauseTenantSchedules({ tenantId, operationId }: OfOperation): Promise<void> {
    for (const { name, paused } of await schedules.list(tenantId)) if (!paused) await schedules.pause(tenantId, name, restNote(operationId));
  },

  /** Lets go on what an operation paused; what a person paused stays paused. */
  async resumeTenantSchedules({ tenantId, operationId }: OfOperation): Promise<void> {
    for (const { name, paused, note } of await schedules.list(tenantId))
      if (paused && isPausedByOperation(note)) await schedules.resume(tenantId, name, wakeNote(operationId));
  },
});
