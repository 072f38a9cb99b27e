import type { ExhaustedBudget } from '../../contracts/budget';
import { waitingCalls, waitsForApproval } from './approvals';
import { budgetPause } from './budget-pause';
import { onlyWaitsForPeople, waitsForPeople } from './calls';
import { isAtRest } from './holding';
import { askingCalls, waitsForAnswer } from './questions';
import { isBusy, type OpenCall, type SessionState } from './state';

function stateOf(state: SessionState): 'closing' | 'paused' | 'waiting' | 'out_of_budget' | 'running' | 'idle' {
  if (state.closing) return 'closing';
  if (isAtRest(state)) return 'paused';
  if (state.current && !state.current.end && onlyWaitsForPeople(state.current)) return 'waiting';
  if (budgetPause(state)) return 'out_of_budget';
  return isBusy(state) ? 'running' : 'idle';
}

export function viewOf(state: SessionState) {
  const pause = budgetPause(state);
  return {
    state: stateOf(state),
    head: state.head,
    turnCount: state.turnCount,
    queuedTurns: state.inbox.length,
    ...(waitingCalls(state).length > 0 && { waitingApprovals: waitingCalls(state).length }),
    ...(askingCalls(state).length > 0 && { waitingQuestions: askingCalls(state).length }),
    ...(pause && { exhausted: exhaustedOf(pause) }),
  };
}

const exhaustedOf = ({ level, unit, renewsAt }: ExhaustedBudget): ExhaustedBudget => ({ level, unit, ...(renewsAt !== undefined && { renewsAt }) });

/** The session in words, as Markdown for the Temporal UI. */
export function describe(state: SessionState): string {
  const waiting = state.inbox.length > 0 ? ` ${state.inbox.length} more waiting.` : '';
  return `**Now:** ${activityOf(state)}.${waiting}\n\n**Turns answered:** ${state.turnCount} · **events in the log:** ${state.head}`;
}

function activityOf(state: SessionState): string {
  const { current: turn, turnCount, closing, undos } = state;
  if (isAtRest(state)) return `paused${turn ? ` before step ${turn.step} of turn ${turnCount + 1}` : ''}, as the tenant is suspended`;
  if (!turn && undos) return `taking back what turn \`${undos[0]?.turnId}\` did`;
  if (!turn) return closing ? 'closing' : 'waiting for the user';
  const place = `step ${turn.step} of turn ${turnCount + 1}`;
  if (turn.end) return `ending turn ${turnCount + 1}: ${turn.end.outcome}`;
  const pause = budgetPause(state);
  if (pause) return `out of budget (\`${pause.level}.${pause.unit}\`) before ${place}; goes on when it is raised${pause.renewsAt === undefined ? '' : `, or at ${pause.renewsAt}`}`;
  if (turn.compacting !== undefined && turn.compacting !== 'done') return `summarising what was before, ${place}`;
  return `${workOf(turn.calls)} ${place}`;
}

/** What a step is at, as the beginning of a sentence that ends with the step. */
function workOf(calls: readonly OpenCall[]): string {
  const listOf = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ');
  const inSession = ({ tool, isWithChild, childSessionId = '' }: OpenCall) => `\`${tool}\`${isWithChild ? ` (session \`${childSessionId}\`)` : ''}`;
  const using = calls.filter((call) => !waitsForPeople(call)).map(inSession).join(', ');
  const approvals = calls.filter(waitsForApproval).map(({ tool, approval }) => `\`${tool}\` (\`${approval.approvalId}\`)`).join(', ');
  const questions = listOf(calls.filter(waitsForAnswer).map(({ question }) => question.questionId));
  const waits = [...(approvals === '' ? [] : [`for approval of ${approvals}`]), ...(questions === '' ? [] : [`for the user's answer to ${questions}`])];
  if (waits.length === 0) return using === '' ? 'thinking,' : `using ${using} in`;
  return `waiting ${waits.join(', and ')}${using === '' ? '' : `, and using ${using}`} in`;
}
