import { createHandshakeActivity } from './handshake';
import { createSessionActivities } from './session';
import type { SessionStepDeps } from './session/deps';

/** All that runs on a tenant's own queue. */
export const createTenantActivities = (deps: SessionStepDeps) => ({
  ...createSessionActivities(deps),
  ...createHandshakeActivity(),
});
