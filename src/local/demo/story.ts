import { setTimeout as delay } from 'node:timers/promises';
import type { LocalAccounts } from '../../cli/accounts';
import { type ApiClient, ApiProblem } from '../../cli/api-client';
import { watchOperation } from '../../cli/operations';
import type { ApprovalRecord } from '../../contracts/approval';
import type { Budgets } from '../../contracts/budget';
import { groups, workflowIds } from '../../contracts/names';
import type { Operation } from '../../contracts/operation';
import type { SessionStatus } from '../../ports/sessions';
import type { OrdersServer } from './orders-server';
import type { Report } from './report';
import { type Turn, User } from './user';

export interface Stage {
  readonly report: Report;
  readonly orders: OrdersServer;
  readonly api: ApiClient;
  readonly accounts: LocalAccounts;
  readonly temporalUiUrl: string;
  killWorker(): void;
}

/** From two onboardings to one offboarding; every promise on the way is checked. */
export async function tellStory(stage: Stage): Promise<void> {
  const { report, accounts } = stage;
  const operator = await accounts.operatorToken();
  await report.tell('Onboard acme and globex, side by side', () =>
    Promise.all(['acme', 'globex'].map((tenantId) => onboard(stage, operator, tenantId))),
  );
  const [alice, gina] = await report.tell('Create an end user in each pool, and sign in through Cognito', () =>
    Promise.all([signUp(stage, 'acme', 'alice@acme.example'), signUp(stage, 'globex', 'gina@globex.example')]),
  );
  await report.tell('Remember a preference, token by token', () => rememberPreference(stage, alice));
  await report.tell('Recall it in a new session', async () => {
    const turn = await ask(stage, alice, 'What is my color preference?');
    report.claim('the agent of acme recalls "blue" in a new session', turn.answer.includes('blue'), turn.answer);
  });
  await report.tell("Ask globex's agent for acme's secret", async () => {
    const turn = await ask(stage, gina, 'What is my color preference?');
    report.claim('the agent of globex does not know it', turn.outcome === 'completed' && !turn.answer.includes('blue'), turn.answer);
  });
  await report.tell('Use two tools at once', () => useTwoTools(stage, alice));
  await report.tell('Kill the worker in the middle of a tool call', () => surviveKill(stage, alice));
  await report.tell('Ask a person before money goes out, and add a wish meanwhile', () => approveRefund(stage, alice));
  await report.tell('Run out of budget in the middle of a turn, and go on', () => runOutOfBudget(stage, alice));
  await report.tell("Knock at globex's door with acme's token", () => beRefused(stage, alice));
  await report.tell('Offboard acme', () => offboard(stage, operator, alice));
  await report.tell('Globex works on', async () => {
    const turn = await ask(stage, gina, 'What is 6*7?');
    report.claim('globex still answers', turn.outcome === 'completed' && turn.answer.includes('42'), turn.answer);
  });
}

async function onboard({ report, api, orders, temporalUiUrl }: Stage, token: string, tenantId: string): Promise<void> {
  const { operationId } = await api.call<Operation>('/api/v1/tenants', {
    method: 'POST',
    token,
    body: { tenantId, administrator: { email: `admin@${tenantId}.example` }, agent: { allowedOrigins: [orders.origin], idempotentOrigins: [orders.origin], approvals: refundsNeedApproval } },
  });
  report.say(workflowLink(temporalUiUrl, workflowIds.operation(operationId)));
  const operation = await watchOperation(api, operationId, token, (step) => report.say(`${tenantId}: ${step.name} ${step.state} ${seconds(step)}`));
  report.claim(`${tenantId} is active after ${operation.steps.length} steps`, operation.state === 'completed', JSON.stringify(operation.error));
}

async function signUp({ report, accounts, api }: Stage, tenantId: string, email: string): Promise<User> {
  const { userId, accessToken } = await accounts.userTokens(tenantId, email);
  report.claim(`${email} has an access token of ${tenantId}'s own pool`, accessToken.split('.').length === 3);
  return new User(api, tenantId, userId, accessToken);
}

/** Opens a session, says one thing, and prints the answer while it is written. */
async function ask({ report, temporalUiUrl }: Stage, user: User, text: string): Promise<Turn> {
  const sessionId = await user.open();
  report.say(`${user.tenantId} user: ${text}`);
  process.stdout.write(`  ${user.tenantId} agent: `);
  const turn = await user.ask(sessionId, text, (piece) => process.stdout.write(piece));
  process.stdout.write('\n');
  report.say(workflowLink(temporalUiUrl, workflowIds.session(user.tenantId, sessionId)));
  return turn;
}

async function rememberPreference(stage: Stage, alice: User): Promise<void> {
  const { report } = stage;
  const turn = await ask(stage, alice, 'Store my preference: color=blue');
  const pieces = turn.entries.flatMap((entry) => (entry.type === 'text.delta' ? [entry.text] : []));
  const written = turn.entries.flatMap((entry) => (entry.type === 'message.completed' ? [entry.text] : []));
  report.claim('the agent used its tool to remember it', completedTools(turn).includes('remember'));
  report.claim(`the answer came in ${pieces.length} pieces, and they add up to it`, pieces.length > 2 && pieces.join('') === written.join(''));
  const seqs = turn.entries.flatMap((entry) => ('seq' in entry ? [entry.seq] : []));
  report.claim(`its ${seqs.length} events are numbered without a gap`, seqs.every((seq, index) => index === 0 || seq === (seqs[index - 1] ?? 0) + 1));
}

async function useTwoTools(stage: Stage, alice: User): Promise<void> {
  const turn = await ask(stage, alice, 'What time is it, and what is 17*23?');
  const requested = turn.entries.filter((entry) => entry.type === 'tool.requested');
  stage.report.claim('one step asked for two tools, and both answered', requested.length === 2 && completedTools(turn).length === 2);
  stage.report.claim('the answer holds the product, 391', turn.answer.includes('391'), turn.answer);
}

async function surviveKill(stage: Stage, alice: User): Promise<void> {
  const { report, orders } = stage;
  const killed = orders.firstOrder.then(() => {
    stage.killWorker();
    report.say('\n  — the order is placed, its answer withheld, and the worker killed with SIGKILL —');
  });
  const turn = await ask(stage, alice, `Place an order for 3 books at ${orders.origin}/orders`);
  await killed;
  report.claim('the turn completed all the same', turn.outcome === 'completed', turn.outcome);
  report.claim(`${orders.requests} requests reached the shop, which placed ${orders.placed} order`, orders.requests > 1 && orders.placed === 1);
}

const refundsNeedApproval = {
  rules: [{ tool: 'http_request', when: [{ pointer: '/url', is: 'ends_with', value: '/refunds' }], decision: 'ask', notRequester: true }],
  otherwise: { write: 'allow' },
};

/** The turn waits for a person; what its user says meanwhile joins it. */
async function approveRefund(stage: Stage, alice: User): Promise<void> {
  const { report, api, accounts, orders } = stage;
  const { accessToken: token } = await accounts.userTokens('acme', 'admin@acme.example', [groups.administrators]);
  const placedBefore = orders.placed;
  const asked = ask(stage, alice, `Send a POST to ${orders.origin}/refunds`);
  const approval = await firstApproval(api, token);
  report.say(`\n  waiting for approval: ${approval.tool} ${JSON.stringify(approval.arguments)}`);
  report.claim('the call waits for a person, and nothing was sent', orders.placed === placedBefore);
  await alice.steer(approval.sessionId, 'And what time is it?');
  await api.call(`/api/v1/tenants/acme/sessions/${approval.sessionId}/approvals/${approval.approvalId}`, { method: 'POST', token, body: { decision: 'approve' } });
  const turn = await asked;
  report.claim("the administrator's approval let it run, once", turn.outcome === 'completed' && orders.placed === placedBefore + 1, turn.outcome);
  const joined = turn.entries.some((entry) => entry.type === 'turn.steered');
  report.claim('the wish joined the running turn, and was answered with it', joined && completedTools(turn).includes('current_time'), turn.answer);
}

/** Workers read a tenant's budgets anew after a second. */
const heardAfterMs = 1_200;

/** One model call is all that a session may make: the second one of the turn waits for more. */
async function runOutOfBudget(stage: Stage, alice: User): Promise<void> {
  const { report, api, accounts } = stage;
  const { accessToken: token } = await accounts.userTokens('acme', 'admin@acme.example', [groups.administrators]);
  const allow = (budgets: Budgets) => api.call('/api/v1/tenants/acme/budgets', { method: 'PUT', token, body: budgets });
  await allow({ session: { modelCalls: 1 } });
  await delay(heardAfterMs);
  const sessionId = await alice.open();
  const asked = alice.ask(sessionId, 'What is 6*7?', (piece) => process.stdout.write(piece));
  const { exhausted } = await outOfBudget(api, alice, sessionId);
  report.say(`session ${sessionId} waits: ${exhausted?.level ?? ''}.${exhausted?.unit ?? ''} is used up`);
  const soFar = await alice.log(sessionId);
  report.claim('the turn waits behind its tool, and says for what', soFar.at(-1)?.type === 'budget.exhausted' && soFar.some(({ type }) => type === 'tool.completed'));
  await allow({ session: { modelCalls: 10 } });
  const turn = await asked;
  process.stdout.write('\n');
  report.claim('it goes on by itself once the administrator has raised the budget', turn.outcome === 'completed' && turn.answer.includes('42'), turn.answer);
  await allow({});
}

async function outOfBudget(api: ApiClient, { tenantId, token }: User, sessionId: string): Promise<SessionStatus> {
  for (;;) {
    const { status } = await api.call<{ status: SessionStatus }>(`/api/v1/tenants/${tenantId}/sessions/${sessionId}`, { token });
    if (status.state === 'out_of_budget') return status;
    await delay(50);
  }
}

type WaitingApproval = ApprovalRecord & { readonly arguments: unknown };

async function firstApproval(api: ApiClient, token: string): Promise<WaitingApproval> {
  for (;;) {
    const { data } = await api.call<{ data: WaitingApproval[] }>('/api/v1/tenants/acme/approvals', { token });
    if (data[0]) return data[0];
    await delay(50);
  }
}

async function beRefused({ report, api }: Stage, alice: User): Promise<void> {
  const refusal = await api.call('/api/v1/tenant/globex/agent', { method: 'POST', token: alice.token, body: { prompt: 'Hello?' } }).catch(problem);
  report.claim("acme's token is refused on globex's endpoint (401)", refusal instanceof ApiProblem && refusal.status === 401, String(refusal));
}

async function offboard({ report, api, temporalUiUrl }: Stage, token: string, alice: User): Promise<void> {
  const { operationId } = await api.call<Operation>('/api/v1/tenants/acme?graceSeconds=0', { method: 'DELETE', token });
  report.say(workflowLink(temporalUiUrl, workflowIds.operation(operationId)));
  const { steps, state, backupId } = await watchOperation(api, operationId, token, (step) => report.say(`acme: ${step.name} ${step.state} ${seconds(step)}`));
  const done = (name: string) => steps.some((step) => step.name === name && step.state === 'completed');
  report.claim('its sessions were drained', done('drain'));
  report.claim(`the backup ${backupId ?? ''} was taken and read back`, done('backup') && done('verify_backup'));
  report.claim('infrastructure, memory, configuration and objects are gone', done('delete_infrastructure') && done('check_remains'));
  report.claim('its key is pending deletion', done('schedule_key_deletion'));
  report.claim('the offboarding is complete', state === 'completed');
  const refusal = await api.call('/api/v1/tenant/acme/agent', { method: 'POST', token: alice.token, body: { prompt: 'Hello?' } }).catch(problem);
  report.claim("acme's user is refused from now on", refusal instanceof ApiProblem && [401, 404, 409].includes(refusal.status), String(refusal));
}

const completedTools = (turn: Turn): string[] => turn.entries.flatMap((entry) => (entry.type === 'tool.completed' ? [entry.tool] : []));

const workflowLink = (temporalUiUrl: string, workflowId: string): string =>
  `${temporalUiUrl}/namespaces/default/workflows/${encodeURIComponent(workflowId)}`;

const seconds = ({ startedAt, finishedAt }: Operation['steps'][number]): string =>
  startedAt && finishedAt ? `${((Date.parse(finishedAt) - Date.parse(startedAt)) / 1_000).toFixed(1)} s` : '';

const problem = (error: unknown): unknown => error;
