import { createApprovalActivities } from './approvals';
import { createCompact } from './compact';
import type { SessionStepDeps } from './deps';
import { createErrandActivities } from './errands';
import { createFactActivities } from './extract-facts';
import { createForkActivities } from './fork';
import { createQuestionActivities } from './questions';
import { createTurnActivities } from './turn';
import { createThink } from './think';
import { createUndoActivities } from './undo';
import { createToolActivities } from './use-tool';

/** What a session's workflow runs on its tenant's queue. */
export const createSessionActivities = (deps: SessionStepDeps) => ({
  ...createThink(deps),
  ...createCompact(deps),
  ...createToolActivities(deps),
  ...createTurnActivities(deps),
  ...createApprovalActivities(deps),
  ...createQuestionActivities(deps),
  ...createForkActivities(deps),
  ...createErrandActivities(deps),
  ...createFactActivities(deps),
  ...createUndoActivities(deps),
});

export type SessionActivities = ReturnType<typeof createSessionActivities>;
