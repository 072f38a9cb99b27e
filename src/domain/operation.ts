import { type OperationKind, type OperationState, operationStates, operationSteps, type StepName } from '../contracts/names';
import type { Operation, OperationRequests, OperationStep, StepState } from '../contracts/operation';

export const stepTitles: Readonly<Record<StepName, string>> = {
  reserve: 'Reserve the tenant id',
  infrastructure: 'Build the infrastructure',
  memory: 'Create the AgentCore memory',
  runtime: 'Create the AgentCore runtime',
  identity: 'Create the identity of the agent',
  gateway: 'Create the AgentCore gateway',
  config: 'Write the agent configuration',
  administrator: 'Invite the first administrator',
  schedules: 'Schedule the maintenance',
  scaling: 'Scale the workers with the backlog',
  worker: 'Wait for a worker to serve the tenant',
  smoke_turn: 'Hold a first conversation',
  activate: 'Activate the tenant',
  block: 'Block new work',
  delete_schedules: 'Delete the schedules',
  drain: 'Drain the sessions',
  count_usage: 'Count what was used last',
  backup: 'Take the backup',
  verify_backup: 'Read the backup back and verify it',
  rehearse_restore: 'Restore the backup on trial',
  grace_period: 'Wait out the grace period',
  take_inventory: 'Note all the tenant has',
  end_work: 'End what still runs in Temporal',
  delete_scaling: 'Stop scaling the workers with the backlog',
  delete_gateway: 'Delete the AgentCore gateway',
  delete_identity: 'Delete the identity of the agent',
  delete_runtime: 'Delete the AgentCore runtime',
  delete_memory: 'Delete the AgentCore memory',
  delete_config: 'Delete the agent configuration',
  empty_bucket: 'Empty the bucket',
  delete_infrastructure: 'Delete the infrastructure',
  schedule_key_deletion: 'Schedule the deletion of the key',
  check_remains: 'Check that nothing remains',
  tombstone: 'Keep the id from reuse',
  certificate: 'Sign the deletion certificate',
  claim: 'Take the tenant for this operation',
  release: 'Let others work on the tenant',
  suspend: 'Refuse new work',
  pause_schedules: 'Pause the schedules',
  pause_sessions: 'Bring the sessions to rest',
  reinstate: 'Let the tenant work again',
  resume_sessions: 'Let the sessions go on',
  resume_schedules: 'Resume the schedules',
  find_backup: 'Find the backup',
  admit: 'Find the backup, take the tenant or its id',
  forget_sessions: 'End the sessions there are',
  restore_users: 'Restore the users',
  restore_data: 'Restore the data',
  compare: 'Compare with the backup',
  give_back: 'Give the tenant id back',
  change_tier: 'Write the tier to the registry',
  take_effect: 'Wait until every process has heard of it',
  change_config: 'Write the agent configuration',
  rotate_key: 'Give the key new material',
  renew_data_keys: 'Let go of the data keys in use',
  check_key: 'Check that old and new data can be read',
  create_client: 'Create a second client and make it the current one',
  accept_client: 'Have runtime and gateway accept both clients',
  overlap: 'Accept both clients for a while',
  retire_client: 'Accept the old client no longer',
  delete_client: 'Delete the old client',
  list_erasure: 'Note what is to be erased',
  end_sessions: 'End the sessions',
  hide_sessions: 'Take sessions and schedules out of every list',
  erase_table: 'Erase what the table holds',
  erase_objects: 'Erase the objects, with all versions',
  erase_facts: 'Erase what is remembered',
  erase_live: 'Erase the live streams',
  erase_histories: 'Erase the histories in Temporal',
  sign_erasure: 'Look again everywhere, and sign the statement',
};

/** What an operation is for, in a line. */
export const summarize = <Kind extends OperationKind>(kind: Kind, request: OperationRequests[Kind]): string => summaries[kind](request);

const summaries: { readonly [Kind in OperationKind]: (request: OperationRequests[Kind]) => string } = {
  onboarding: ({ tenantId, tier }) => `Onboard ${tenantId} (${tier})`,
  offboarding: ({ tenantId, graceSeconds }) => `Offboard ${tenantId}, grace ${graceSeconds} s`,
  suspension: ({ tenantId, turns }) => `Suspend ${tenantId}, turns ${turns === 'pause' ? 'pause' : 'finish'}`,
  resumption: ({ tenantId }) => `Resume ${tenantId}`,
  backup: ({ tenantId, reason }) => `Back up ${tenantId} (${reason})`,
  backupVerification: ({ tenantId, backupId }) => `Verify ${tenantId}'s backup ${backupId}`,
  restore: ({ tenantId, sourceTenantId, backupId, until }) => `Restore ${sourceTenantId}'s backup ${backupId}${until === undefined ? '' : ` as of ${until}`} into ${tenantId}`,
  rehearsal: ({ sourceTenantId, backupId }) => `Rehearse the restore of ${sourceTenantId}'s backup ${backupId}`,
  tierChange: ({ tenantId, tier }) => `Move ${tenantId} to tier ${tier}`,
  configurationChange: ({ tenantId, agent }) => `Give ${tenantId} another agent configuration (${agent.modelId})`,
  erasure: ({ tenantId, subject }) => `Erase ${'userId' in subject ? `user ${subject.userId}` : `session ${subject.sessionId}`} of ${tenantId}`,
  keyRotation: ({ tenantId }) => `Rotate the key of ${tenantId}`,
  clientRotation: ({ tenantId, overlapSeconds }) => `Rotate the client of ${tenantId}, overlap ${overlapSeconds} s`,
};

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/** How long a step that can be taken back is tried before the operation gives up and is undone. */
export const stepDeadlineMs = (step: StepName): number => deadlines[step] ?? 15 * minuteMs;

const deadlines: Partial<Record<StepName, number>> = {
  // CloudFormation and AgentCore take minutes, sometimes many.
  infrastructure: 60 * minuteMs,
  memory: 60 * minuteMs,
  runtime: 60 * minuteMs,
  gateway: 60 * minuteMs,
  // A queue nobody polls waits for ever: a minute is enough for a worker to find its tenant.
  worker: minuteMs,
  smoke_turn: 5 * minuteMs,
  drain: 2 * dayMs,
  // A tenant that leaves, or must be restored, does not wait long for figures.
  count_usage: 5 * minuteMs,
  // A turn may take as long as its own limit, which is a day at most.
  pause_sessions: 2 * dayMs,
  create_client: 60 * minuteMs,
  rotate_key: 60 * minuteMs,
  backup: dayMs,
  verify_backup: dayMs,
  rehearse_restore: dayMs,
  restore_users: dayMs,
  restore_data: dayMs,
  compare: dayMs,
};

/** Times are ISO 8601, passed in: nothing here reads a clock. */
interface Begun {
  readonly operationId: string;
  readonly kind: OperationKind;
  readonly tenantId: string;
  readonly at: string;
}

/** An operation before its first step. */
export const beginOperation = ({ operationId, kind, tenantId, at }: Begun): Operation => ({
  operationId,
  kind,
  tenantId,
  state: 'running',
  stuck: false,
  steps: operationSteps[kind].map((name) => ({ name, state: 'pending' })),
  percent: 0,
  startedAt: at,
  revision: 0,
});

/** States in which nothing more happens to a step, unless it is undone. */
const finished: ReadonlySet<StepState> = new Set(['completed', 'failed', 'skipped', 'undone']);
/** States of a step that rests until somebody helps. */
const resting: ReadonlySet<StepState> = new Set(['stuck', 'undo_failed']);
const ofUndo: ReadonlySet<StepState> = new Set(['undoing', 'undone', 'undo_failed']);

export interface StepChange {
  readonly step: StepName;
  readonly state: StepState;
  readonly at: string;
  /** Which attempt this is about. Default: the one it was about before. */
  readonly attempt?: number;
  /** What is wrong with it now; without one, nothing is. */
  readonly error?: string;
}

/** Moves a step to a state. */
export function advance(operation: Operation, change: StepChange): Operation {
  const steps = operation.steps.map((step) => (step.name === change.step ? moved(step, change) : step));
  const stuck = steps.some(({ state }) => resting.has(state));
  return { ...operation, steps, stuck, percent: percentOf(steps), revision: operation.revision + 1 };
}

/** An undo has a clock and attempts of its own. A clock that was set back makes no step end before it began. */
function moved(step: OperationStep, { state, at, error, attempt }: StepChange): OperationStep {
  const goesOn = ofUndo.has(step.state) === ofUndo.has(state);
  const startedAt = (goesOn ? step.startedAt : undefined) ?? at;
  const attempts = attempt ?? (goesOn ? step.attempt : undefined);
  return {
    name: step.name,
    state,
    ...(attempts !== undefined && { attempt: attempts }),
    startedAt,
    ...(finished.has(state) && { finishedAt: at, durationMs: Math.max(0, Date.parse(at) - Date.parse(startedAt)) }),
    ...(error !== undefined && { error }),
  };
}

function percentOf(steps: readonly OperationStep[]): number {
  const done = steps.filter(({ state }) => state === 'completed' || state === 'skipped').length;
  return Math.floor((done / steps.length) * 100);
}

/** From now on what was done is taken back. `error` is absent when the operation was cancelled. */
export const beginUndoing = (operation: Operation, error?: { code: string; message: string }): Operation => ({
  ...operation,
  state: 'undoing',
  ...(error && { error }),
  revision: operation.revision + 1,
});

/** Ends the operation: steps it never came to are skipped, and an operation that was taken back has done nothing. */
export function conclude(operation: Operation, state: OperationState, at: string): Operation {
  const steps = operation.steps.map((step): OperationStep => (step.state === 'pending' ? { ...step, state: 'skipped' } : step));
  return { ...operation, state, steps, percent: state === 'completed' ? 100 : 0, finishedAt: at, revision: operation.revision + 1 };
}

/** Whether the first step stands, or never will: then the caller can be answered. */
export const isAnswerable = ({ state, steps }: Operation): boolean => state !== 'running' || steps[0]?.state === 'completed';

/** Why an operation never began: its first step was refused. Undefined when it began, whatever came of it. */
export function refusalOf({ steps, error }: Operation): Operation['error'] {
  return steps.slice(1).every(({ state }) => state === 'pending' || state === 'skipped') ? error : undefined;
}

/** Whether an attempt of some step has failed and another will follow: `retry` makes it follow now. */
export const awaitsRetry = ({ steps }: Operation): boolean => steps.some(({ state, error }) => error !== undefined && !finished.has(state));

/** What operators filter by: the state, or that it is stuck. */
export const searchableStateOf = ({ state, stuck }: Pick<Operation, 'state' | 'stuck'>): SearchableState => (stuck ? `${state} stuck` : state);
export type SearchableState = OperationState | `${OperationState} stuck`;

export const isSearchableState = (value: unknown): value is SearchableState =>
  typeof value === 'string' && (operationStates as readonly string[]).includes(value.replace(/ stuck$/, ''));

/**
 * When a running operation will probably be done: what its remaining steps took in earlier operations of its kind
 * (medians). Undefined without any, or when it does not go forward.
 */
export function estimatedFinish(operation: Operation, earlier: readonly Operation[], nowMs: number): string | undefined {
  if (operation.state !== 'running' || operation.stuck || earlier.length === 0) return undefined;
  const leftMs = operation.steps.reduce((sum, step) => {
    const usualMs = medianOf(earlier.flatMap(({ steps }) => steps.find(({ name }) => name === step.name)?.durationMs ?? []));
    if (step.state === 'pending') return sum + usualMs;
    if (step.state !== 'running' || step.startedAt === undefined) return sum;
    return sum + Math.max(0, usualMs - (nowMs - Date.parse(step.startedAt)));
  }, 0);
  return new Date(nowMs + leftMs).toISOString();
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

const marks: Readonly<Record<StepState, string>> = {
  pending: '·',
  running: '▶ running',
  stuck: '✗ stuck',
  completed: '✓ done',
  failed: '✗ failed',
  undoing: '↩ being undone',
  undone: '↩ undone',
  undo_failed: '✗ not undone',
  skipped: '– skipped',
};

/**
 * What an operator sees as current details in the Temporal UI, which gives it half a page: what is wrong comes first, in lines of its own.
 */
export function toMarkdown(operation: Operation): string {
  const { kind, tenantId, state, percent, steps, error, stuck } = operation;
  const rows = steps.map((step, index) => `| ${index + 1} | ${titleOf(step)} | ${markOf(step)} | ${tookOf(step)} | ${clockOf(step.finishedAt)} |`);
  return [
    `**${kind} of ${tenantId}: ${state}${stuck ? ', stuck' : ''}**, ${percent} %`,
    ...(error ? ['', `${error.code}: ${oneLine(error.message)}`] : []),
    ...steps.flatMap((step) => (step.error === undefined ? [] : ['', `✗ **${titleOf(step)}**: ${oneLine(step.error)}`])),
    ...(stuck ? ['', 'Stuck: it tries again every hour. To try now, remove the cause and send the signal `retry`.'] : []),
    '',
    '| | step | state | took | finished |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

const titleOf = ({ name }: OperationStep): string => (isStep(name) ? stepTitles[name] : name);

const markOf = ({ state, attempt = 1 }: OperationStep): string => (attempt > 1 ? `${marks[state]} (attempt ${attempt})` : marks[state]);

const tookOf = ({ state, durationMs }: OperationStep): string => (durationMs === undefined || state === 'skipped' ? '' : `${(durationMs / 1_000).toFixed(1)} s`);

const isStep = (name: string): name is StepName => Object.hasOwn(stepTitles, name);

/** UTC, to the second; the day is that of the workflow's events. */
const clockOf = (iso?: string): string => iso?.replace(/^.*T(.{8}).*$/, '$1Z') ?? '';

/** An error's text must not begin a paragraph or a table of its own. */
const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').slice(0, 600);
