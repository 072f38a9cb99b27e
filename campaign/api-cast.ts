import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient, ApiProblem, type ApiRequest } from '../src/cli/api-client';
import type { LocalAccounts } from '../src/cli/accounts';
import { watchOperation } from '../src/cli/operations';
import { patiently, seemsTemporary } from '../src/cli/patience';
import { groups } from '../src/contracts/names';
import type { Operation } from '../src/contracts/operation';
import { delegable } from '../src/domain/admission';
import { modelControl } from '../src/local/model/control';
import { User } from '../src/local/demo/user';
import type { Asker } from './schemathesis';

/** Whom the API is asked as. `operator` comes last: it does away with what the others had. */
export const roleNames = ['nobody', 'member', 'approver', 'auditor', 'key', 'machine', 'administrator', 'operator'] as const;
export type RoleName = (typeof roleNames)[number];

const rate = { requestsPerMinute: 1_000_000, burst: 1_000_000 };
/** Asks its user, and has people asked before it calculates. */
const agent = { tools: ['ask_user', 'remember', 'recall', 'calculator'], approvals: { rules: [{ tool: 'calculator', decision: 'ask' }], otherwise: { write: 'allow' } } };
const asksAll = 'Ask what there is to ask.';
const document = { openapi: '3.0.3', info: { title: 'A shop', version: '1' }, servers: [{ url: 'https://shop.example.com' }], paths: { '/orders': { get: { operationId: 'orders', responses: { 200: { description: 'orders' } } } } } };

const missing = {
  tenantId: 'never-made',
  sessionId: 'ses-missing',
  userId: '00000000-0000-4000-8000-000000000000',
  keyId: '0'.repeat(16),
  clientId: '0'.repeat(16),
  agentName: 'missing',
  version: '9',
  alias: 'missing',
  source: 'missing',
  schedule: 'missing',
  factId: `mem-${'0'.repeat(40)}`,
  attachmentId: `att-${'0'.repeat(26)}`,
  approvalId: 'apr-missing',
  questionId: 'qst-missing',
  turnId: 'turn-missing',
  backupId: 'bak-0123456789',
};
/** What somebody has, by the name it has in paths. */
type Belongings = Readonly<Record<keyof typeof missing | 'operationId', string>>;

/** Tenants, users and what they have, made for a run. */
export class Cast {
  private constructor(
    private readonly accounts: LocalAccounts,
    private readonly api: ApiClient,
    private readonly operatorToken: string,
  ) {}

  /** Two tenants whose users ask, and one that operators do to what they like. */
  static async make(accounts: LocalAccounts, { apiUrl, modelUrl }: { apiUrl: string; modelUrl: string }): Promise<Cast> {
    const calls = [{ name: 'ask_user', input: { question: 'Which?', options: ['red', 'green'] } }, { name: 'calculator', input: { expression: '1+1' } }];
    await modelControl(modelUrl).script({ match: asksAll, steps: [{ calls }], repeat: true });
    const cast = new Cast(accounts, new ApiClient(apiUrl), await accounts.operatorToken());
    await Promise.all(['asking', 'other', 'toy'].map((tenantId) => cast.onboard(tenantId)));
    return cast;
  }

  /** Tokens are good for an hour, and what one role deletes the next must find: each gets its own when its turn comes. */
  async asker(name: RoleName): Promise<Asker> {
    if (name === 'operator') return this.operator();
    const group = { nobody: groups.members, key: groups.members, machine: groups.members, member: groups.members, approver: groups.approvers, auditor: groups.auditors, administrator: groups.administrators }[name];
    const { accessToken: userToken } = await this.accounts.userTokens('asking', `${name}@asking.example`, [group]);
    const maker = await this.accounts.userTokens('asking', `maker@asking.example`, [groups.administrators]);
    const token = name === 'nobody' ? undefined : name === 'key' ? await this.keyOf(maker.accessToken) : name === 'machine' ? await this.machineToken(maker.accessToken) : userToken;
    const [makers, strangers] = await Promise.all([this.belongings('asking'), this.belongings('other')]);
    const own = token === undefined || name === 'approver' || name === 'auditor' ? makers : { ...makers, ...(await this.conversation('asking', token)) };
    const known = Object.fromEntries(Object.keys(makers).map((what) => [what, [...new Set([own, makers, strangers, missing].flatMap((of) => (of as Partial<Belongings>)[what as keyof Belongings] ?? []))]]));
    return { name, ...(token !== undefined && { token }), known: { ...known, 'x-amzn-bedrock-agentcore-runtime-session-id': [`asking_${own.sessionId}`, `other_${strangers.sessionId}`] } };
  }

  /** Does what it likes with a tenant that nobody else needs. */
  private async operator(): Promise<Asker> {
    const token = await this.accounts.operatorToken();
    const own = await this.belongings('toy');
    const { data } = await this.api.call<{ data: Operation[] }>('/api/v1/operations', { token });
    const known = Object.fromEntries(Object.entries(own).map(([what, id]) => [what, [id, (missing as Partial<Belongings>)[what as keyof Belongings] ?? []].flat()]));
    return { name: 'operator', token, known: { ...known, operationId: data.map(({ operationId }) => operationId) } };
  }

  private async onboard(tenantId: string): Promise<void> {
    const body = { tenantId, rate, administrator: { email: `admin@${tenantId}.example` }, agent };
    await this.done(await this.api.call<Operation>('/api/v1/tenants', { method: 'POST', token: this.operatorToken, body }));
  }

  private async done({ operationId }: Operation): Promise<Operation> {
    const operation = await watchOperation(this.api, operationId, this.operatorToken);
    if (operation.state !== 'completed') throw new Error(`${operationId} came to ${operation.state}`);
    return operation;
  }

  private post<T>(tenantId: string, path: string, token: string, body: unknown, request: ApiRequest = {}): Promise<T> {
    // What was asked before may have begun an operation, behind which this one waits.
    const mayPass = (error: unknown) => seemsTemporary(error) || (error instanceof ApiProblem && error.code === 'tenant/busy');
    return patiently(() => this.api.call<T>(`/api/v1/tenants/${tenantId}/${path}`, { method: 'POST', token, body, ...request }), { mayPass });
  }

  private async keyOf(token: string): Promise<string> {
    return (await this.post<{ key: string }>('asking', 'api-keys', token, { name: 'of a campaign', permissions: delegable })).key;
  }

  private async machineToken(token: string): Promise<string> {
    const client = await this.post<{ oauthClientId: string; oauthClientSecret: string; tokenUrl: string }>('asking', 'machine-clients', token, { name: 'of a campaign', permissions: delegable });
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: client.oauthClientId, client_secret: client.oauthClientSecret });
    return ((await (await fetch(client.tokenUrl, { method: 'POST', body })).json()) as { access_token: string }).access_token;
  }

  /** All that an administrator has made, and what is there to be asked about beside it. */
  private async belongings(tenantId: string): Promise<Belongings> {
    const { accessToken: token, userId: makerId } = await this.accounts.userTokens(tenantId, `maker@${tenantId}.example`, [groups.administrators]);
    const { userId } = await this.accounts.userTokens(tenantId, `victim@${tenantId}.example`);
    // Whoever asked before may have left it another agent, or nothing to spend.
    await this.api.call(`/api/v1/tenants/${tenantId}/config`, { method: 'PUT', token, body: agent });
    await this.api.call(`/api/v1/tenants/${tenantId}/budgets`, { method: 'PUT', token: this.operatorToken, body: {} });
    const unique = String(Date.now());
    const [{ keyId }, { clientId }, { name: agentName }, { name: schedule }] = await Promise.all([
      this.post<{ keyId: string }>(tenantId, 'api-keys', token, { name: 'of a campaign', permissions: ['read:session'] }),
      this.post<{ clientId: string }>(tenantId, 'machine-clients', token, { name: 'of a campaign', permissions: ['read:session'] }),
      this.post<{ name: string }>(tenantId, 'agents', token, { name: `agent-${unique}`, settings: {} }),
      this.post<{ name: string }>(tenantId, 'schedules', token, { name: `daily-${unique}`, prompt: 'Hello', times: { everySeconds: 86_400 } }),
    ]);
    const [alias, source] = ['canary', 'shop'];
    await this.api.call(`/api/v1/tenants/${tenantId}/agents/${agentName}/aliases/${alias}`, { method: 'PUT', token, body: { version: 1 } });
    await this.api.call(`/api/v1/tenants/${tenantId}/tool-sources/${source}`, { method: 'PUT', token, body: { settings: { kind: 'openapi' }, document } });
    const conversation = await this.conversation(tenantId, token);
    const user = new User(this.api, tenantId, makerId, token);
    await user.ask(await user.open(), 'Store my preference: tea');
    const { data: [fact] } = await this.api.call<{ data: { factId: string }[] }>(`/api/v1/tenants/${tenantId}/memories`, { token });
    const { backupId = '' } = await this.done(await this.post<Operation>(tenantId, 'backups', this.operatorToken, {}));
    const { operationId } = await this.done(await this.post<Operation>(tenantId, `sessions/${await user.open()}/erase`, token, {}));
    return { tenantId, userId, keyId, clientId, agentName, version: '1', alias, source, schedule, factId: fact?.factId ?? '', backupId, operationId, ...conversation };
  }

  /** A session in which something is attached, the agent asks, and a call waits for people. */
  private async conversation(tenantId: string, token: string): Promise<Pick<Belongings, 'sessionId' | 'attachmentId' | 'turnId' | 'questionId' | 'approvalId'>> {
    const { sessionId } = await this.post<{ sessionId: string }>(tenantId, 'sessions', token, {});
    const session = `sessions/${sessionId}`;
    const file = { content: Buffer.from('A note.'), mediaType: 'text/plain' };
    const { attachmentId } = await this.post<{ attachmentId: string }>(tenantId, `${session}/attachments?name=note.txt`, token, undefined, { file });
    const { turnId } = await this.post<{ turnId: string }>(tenantId, `${session}/messages`, token, { text: asksAll });
    const admin = (await this.accounts.userTokens(tenantId, `maker@${tenantId}.example`, [groups.administrators])).accessToken;
    const [questionId, approvalId] = await Promise.all([this.waitingIn(tenantId, `${session}/questions`, token, 'questionId'), this.waitingIn(tenantId, `${session}/approvals`, admin, 'approvalId')]);
    return { sessionId, attachmentId, turnId, questionId, approvalId };
  }

  private async waitingIn(tenantId: string, path: string, token: string, name: string): Promise<string> {
    for (;;) {
      const { data } = await this.api.call<{ data: Record<string, string>[] }>(`/api/v1/tenants/${tenantId}/${path}`, { token });
      const id = data[0]?.[name];
      if (id !== undefined) return id;
      await delay(50);
    }
  }
}
