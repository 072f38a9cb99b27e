import { createHandshakeActivity } from './handshake';
import { createScheduledRunActivities, type ScheduledRunDeps } from './scheduled';
import { createSessionActivities } from './session';
import type { SessionStepDeps } from './session/deps';

/** All that runs on a tenant's own queue. */
export const createTenantActivities = (deps: SessionStepDeps & ScheduledRunDeps) => ({
  ...createSessionActivities(deps),
  ...createScheduledRunActivities(deps),
  ...createHandshakeActivity(),
});
