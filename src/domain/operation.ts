import { type OperationKind, operationSteps, type StepName } from '../contracts/names';
import type { Operation, OperationState, OperationStep, StepState } from '../contracts/operation';

export const stepTitles: Readonly<Record<StepName, string>> = {
  reserve: 'Reserve the tenant id',
  infrastructure: 'Build the infrastructure',
  memory: 'Create the AgentCore memory',
  config: 'Write the agent configuration',
  administrator: 'Invite the first administrator',
  worker: 'Wait for a worker to serve the tenant',
  smoke_turn: 'Hold a first conversation',
  activate: 'Activate the tenant',
  block: 'Block new work',
  drain: 'Drain the sessions',
  backup: 'Take the backup',
  verify_backup: 'Read the backup back and verify it',
  grace_period: 'Wait out the grace period',
  delete_memory: 'Delete the AgentCore memory',
  delete_config: 'Delete the agent configuration',
  empty_bucket: 'Empty the bucket',
  delete_infrastructure: 'Delete the infrastructure',
  schedule_key_deletion: 'Schedule the deletion of the key',
  check_remains: 'Check that nothing remains',
  tombstone: 'Keep the id from reuse',
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
  steps: operationSteps[kind].map((name) => ({ name, state: 'pending' })),
  percent: 0,
  startedAt: at,
});

/** States in which nothing more happens to a step, unless it is undone. */
const finished: ReadonlySet<StepState> = new Set(['completed', 'failed', 'skipped', 'undone', 'undo_failed']);

/** Moves a step to a state. `error` says what is wrong with it now; without one, nothing is. */
export function advance(operation: Operation, change: { step: StepName; state: StepState; at: string; error?: string }): Operation {
  const steps = operation.steps.map((step) => (step.name === change.step ? moved(step, change) : step));
  return { ...operation, steps, percent: percentOf(steps) };
}

function moved({ name, startedAt }: OperationStep, { state, at, error }: { state: StepState; at: string; error?: string }): OperationStep {
  return {
    name,
    state,
    startedAt: startedAt ?? at,
    ...(finished.has(state) && { finishedAt: at }),
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
});

/** Ends the operation: steps it never came to are skipped, and an operation that was taken back has done nothing. */
export function conclude(operation: Operation, state: OperationState, at: string): Operation {
  const steps = operation.steps.map((step): OperationStep => (step.state === 'pending' ? { ...step, state: 'skipped' } : step));
  return { ...operation, state, steps, percent: state === 'completed' ? 100 : 0, finishedAt: at };
}

/** Whether the first step stands, or never will: then the caller can be answered. */
export const isAnswerable = ({ state, steps }: Operation): boolean => state !== 'running' || steps[0]?.state === 'completed';

/** Why an operation never began: its first step was refused. Undefined when it began, whatever came of it. */
export function refusalOf({ steps, error }: Operation): Operation['error'] {
  return steps.slice(1).every(({ state }) => state === 'pending' || state === 'skipped') ? error : undefined;
}

const marks: Readonly<Record<StepState, string>> = {
  pending: '·',
  running: '▶ running',
  completed: '✓ done',
  failed: '✗ failed',
  undoing: '↩ being undone',
  undone: '↩ undone',
  undo_failed: '✗ not undone',
  skipped: '– skipped',
};

const isStuck = ({ state, steps }: Operation): boolean =>
  steps.some((step) => step.state === 'undo_failed' || (step.state === 'failed' && state === 'running'));

/** What an operator sees as current details in the Temporal UI. */
export function toMarkdown(operation: Operation): string {
  const { kind, tenantId, state, percent, steps, error } = operation;
  const rows = steps.map((step, index) => `| ${index + 1} | ${titleOf(step)} | ${marks[step.state]} | ${step.finishedAt ?? ''} | ${cell(step.error)} |`);
  return [
    `**${kind} of ${tenantId}: ${state}**, ${percent} %`,
    ...(error ? ['', `${error.code}: ${cell(error.message)}`] : []),
    ...(isStuck(operation) ? ['', 'Stuck: it tries again every hour. To try now, remove the cause and send the signal `retry`.'] : []),
    '',
    '| | step | state | finished | error |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

const titleOf = ({ name }: OperationStep): string => (isStep(name) ? stepTitles[name] : name);

const isStep = (name: string): name is StepName => Object.hasOwn(stepTitles, name);

/** An error's text must not break out of its cell. */
const cell = (text = ''): string => text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').slice(0, 300);
