import type { PausedSchedule, ScheduleBefore } from '../../contracts/maintenance';
import { scheduleIds, scheduleOfJob } from '../../contracts/names';
import { isPausedByOperation, restNote, wakeNote } from '../../domain/maintenance';
import { hasEnded, pausedNote } from '../../domain/schedules';
import type { AgentClock, AgentSchedules } from '../../ports/agent-schedules';
import type { Schedules } from '../../ports/schedules';

interface OfOperation {
  readonly tenantId: string;
  readonly operationId: string;
}

export interface ScheduleDeps {
  readonly schedules: Schedules;
  readonly agentSchedules: AgentSchedules;
  readonly agentClock: AgentClock;
}

/** What runs by the clock for a tenant, through the tenant's life: its maintenance, and its scheduled agents. */
export const createScheduleActivities = ({ schedules, ...agents }: ScheduleDeps) => ({
  /** @param input - `paused`: those that begin paused, as they were before they were deleted. */
  async createTenantSchedules({ tenantId, paused = [] }: OfOperation & { paused?: readonly PausedSchedule[] }): Promise<void> {
    await schedules.ensure(tenantId, paused);
    await alignAgentSchedules(agents, tenantId, (name) => paused.find((one) => scheduleOfJob(one.name) === name)?.note);
  },

  /** All there are. Its own activity, so that the answer survives: once deleted, nobody knows. */
  async schedulesBeforeLeaving({ tenantId }: OfOperation): Promise<ScheduleBefore[]> {
    const ofAgents = await inTemporal(agents, tenantId);
    return [...(await schedules.list(tenantId)), ...ofAgents.map(({ name, ...state }) => ({ ...state, name: scheduleIds.agentJob(name) }))].map(({ name, paused, note }) => ({ name, paused, note }));
  },

  /** What they started ends with them. */
  async deleteTenantSchedules({ tenantId }: OfOperation): Promise<void> {
    await schedules.delete(tenantId);
    await deleteAgentClocks(agents, tenantId);
  },

  /** For a tenant that rests; what somebody has paused before keeps its note. */
  async pauseTenantSchedules({ tenantId, operationId }: OfOperation): Promise<void> {
    const note = restNote(operationId);
    for (const { name, paused } of await schedules.list(tenantId)) if (!paused) await schedules.pause(tenantId, name, note);
    for (const { name, paused } of await inTemporal(agents, tenantId)) if (!paused) await agents.agentClock.pause(tenantId, name, note);
  },

  /** Lets go on what an operation paused; what a person paused stays paused. The tenant may have been restored meanwhile: its scheduled agents are those of its table. */
  async resumeTenantSchedules({ tenantId, operationId }: OfOperation): Promise<void> {
    const note = wakeNote(operationId);
    for (const { name, paused, note: before } of await schedules.list(tenantId)) if (paused && isPausedByOperation(before)) await schedules.resume(tenantId, name, note);
    await alignAgentSchedules(agents, tenantId);
    for (const { name, paused, note: before } of await inTemporal(agents, tenantId)) if (paused && isPausedByOperation(before)) await agents.agentClock.resume(tenantId, name, note);
  },
});

type Agents = Omit<ScheduleDeps, 'schedules'>;

/**
 * Has Temporal run what the tenant's table says, and nothing else.
 * @param restsFor - why one that is made anew rests, beyond that a person has paused it.
 */
export async function alignAgentSchedules({ agentSchedules, agentClock }: Agents, tenantId: string, restsFor: (name: string) => string | undefined = () => undefined): Promise<void> {
  const written = (await agentSchedules.list(tenantId)).filter((schedule) => !hasEnded(schedule, Date.now()));
  for (const schedule of written) await agentClock.set(tenantId, schedule, pausedNote(schedule) ?? restsFor(schedule.name));
  for (const name of await agentClock.names(tenantId)) if (!(await agentSchedules.get(tenantId, name))) await agentClock.delete(tenantId, name, false);
}

/** What they started ends with them. */
export async function deleteAgentClocks({ agentClock }: Pick<Agents, 'agentClock'>, tenantId: string): Promise<void> {
  for (const name of await agentClock.names(tenantId)) await agentClock.delete(tenantId, name, true);
}

/** Asked of Temporal alone: who leaves may have no key any more to read the table with. */
async function inTemporal({ agentClock }: Agents, tenantId: string) {
  const found = [];
  for (const name of await agentClock.names(tenantId)) found.push((await agentClock.state(tenantId, name)) ?? []);
  return found.flat();
}
