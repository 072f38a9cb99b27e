import type { Operation, OperationStep, StepState } from '../../contracts/operation';
import { stepTitles } from '../../domain/operation';
import type { Paint } from '../terminal/paint';
import { durationOf, printable, timeOf, wordsOf, wrapped } from '../terminal/table';

export interface Look {
  readonly paint: Paint;
  readonly nowMs: number;
  /** Columns and rows there are; lines are cut, steps that are done are drawn together. Default: as many as needed. */
  readonly columns?: number;
  readonly rows?: number;
}

const marks: Readonly<Record<StepState, readonly [Parameters<Paint>[0], string]>> = {
  pending: ['dim', '·'],
  running: ['cyan', '⠿'],
  stuck: ['red', '✗'],
  completed: ['green', '✓'],
  failed: ['red', '✗'],
  undoing: ['yellow', '↩'],
  undone: ['yellow', '↩'],
  undo_failed: ['red', '✗'],
  skipped: ['dim', '–'],
};

const spinner = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const frameMs = 120;
const barCells = 24;

/** An operation as a person sees it: a bar, an estimate, and a line for each step. */
export function renderOperation(operation: Operation, look: Look): string[] {
  const steps = operation.steps.map((step) => stepLine(step, operation, look));
  const head = [headline(operation, look), ...barOf(operation, look)];
  const foot = [...errorsOf(operation, look), ...footOf(operation, look)];
  const room = look.rows === undefined ? steps.length : look.rows - head.length - foot.length - 1;
  return [...head, ...fitting(steps, operation.steps, room, look), ...foot].map((line) => cut(line, look.columns));
}

function headline({ kind, tenantId, state, operationId }: Operation, { paint }: Look): string {
  return `${paint('bold', `${wordsOf(kind)} of ${tenantId}`)}: ${paint(colourOf(state), state)}  ${paint('dim', operationId)}`;
}

const colourOf = (state: Operation['state']) => ({ running: 'cyan', completed: 'green', undoing: 'yellow', undone: 'red', cancelled: 'yellow' } as const)[state];

function barOf(operation: Operation, { paint, nowMs }: Look): string[] {
  const { percent, estimatedFinishAt, finishedAt, startedAt } = operation;
  const took = durationOf((finishedAt === undefined ? nowMs : Date.parse(finishedAt)) - Date.parse(startedAt));
  if (finishedAt !== undefined) return [`took ${took}`];
  const full = Math.round((percent / 100) * barCells);
  const leftMs = estimatedFinishAt === undefined ? undefined : Date.parse(estimatedFinishAt) - nowMs;
  const rest = leftMs === undefined ? '' : leftMs > 0 ? `, about ${durationOf(leftMs)} left` : ', longer than usual';
  return [`${paint('green', '█'.repeat(full))}${paint('dim', '░'.repeat(barCells - full))} ${percent} %  ${took}${rest}`];
}

function stepLine(step: OperationStep, { finishedAt }: Operation, { paint, nowMs }: Look): string {
  const { state, attempt = 1, durationMs, startedAt, error } = step;
  const [style, mark] = marks[state];
  const isMoving = finishedAt === undefined && (state === 'running' || state === 'undoing');
  const sign = isMoving && state === 'running' ? (spinner[Math.floor(nowMs / frameMs) % spinner.length] ?? mark) : mark;
  const took = state === 'skipped' ? undefined : durationMs ?? (isMoving && startedAt !== undefined ? nowMs - Date.parse(startedAt) : undefined);
  const details = [stateWords[state], ...(attempt > 1 ? [`attempt ${attempt}`] : []), ...(error === undefined ? [] : [printable(error)])].filter(Boolean);
  const line = `  ${paint(style, sign)} ${titleOf(step).padEnd(42)} ${(took === undefined ? '' : durationOf(took)).padStart(9)}  ${paint(error === undefined ? 'dim' : 'red', details.join(': '))}`;
  return line.trimEnd();
}

const titleOf = ({ name }: OperationStep): string => (name in stepTitles ? stepTitles[name as keyof typeof stepTitles] : name);

/** What is wrong with steps, in full, where their lines are too short for it. */
function errorsOf(operation: Operation, look: Look): string[] {
  const { columns = Infinity, paint } = look;
  const isCut = (step: OperationStep) => stepLine(step, operation, look).replaceAll(escapes, '').length > columns;
  const cutOff = operation.steps.filter((step) => step.error !== undefined && isCut(step));
  return cutOff.flatMap((step) => wrapped(`${titleOf(step)}: ${printable(step.error ?? '')}`, columns).map((line) => paint('red', line)));
}

/** Where the mark alone does not say it. */
const stateWords: Partial<Record<StepState, string>> = {
  stuck: 'stuck',
  failed: 'failed',
  undoing: 'being undone',
  undone: 'undone',
  undo_failed: 'not undone',
  skipped: 'skipped',
};

function footOf({ kind, stuck, error, operationId, finishedAt, cancellableUntil, state, tenantId }: Operation, { paint }: Look): string[] {
  if (finishedAt === undefined && stuck)
    return [paint('red', 'Stuck: it tries again every hour. Remove the cause, then:'), `  tenure operation retry ${operationId}`];
  if (cancellableUntil !== undefined && state === 'running')
    return [`Nothing is deleted before ${timeOf(cancellableUntil) ?? ''}. Until then:`, `  tenure tenant keep ${tenantId}`];
  if (kind === 'offboarding' && state === 'completed') return ['What was deleted, and how that was checked:', `  tenure tenant certificate ${tenantId}`];
  return error ? [paint('red', `${error.code}: ${printable(error.message)}`)] : [];
}

/** Steps that are done give way when there are more than fit, the oldest first; then those that are to come. */
function fitting(lines: readonly string[], steps: readonly OperationStep[], room: number, { paint }: Look): string[] {
  if (lines.length <= room) return [...lines];
  const hidden = lines.length - Math.max(1, room - 1);
  const done = steps.findIndex(({ state }) => state !== 'completed' && state !== 'skipped');
  const first = Math.min(hidden, done === -1 ? hidden : done);
  const kept = lines.slice(first, first + Math.max(1, room - 1));
  return [paint('dim', `  … ${hidden} more steps`), ...kept];
}

const escapes = /\u001b\[[0-9;]*m/g; // eslint-disable-line no-control-regex -- that is what colours are

/** Never longer than the terminal is wide: a line that wraps would be drawn over. */
function cut(line: string, columns = Infinity): string {
  const plain = line.replaceAll(escapes, '');
  if (plain.length <= columns) return line;
  return `${plain.slice(0, Math.max(0, columns - 1))}…`;
}
