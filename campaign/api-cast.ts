import { ApiClient } from '../src/cli/api-client';
import type { LocalAccounts } from '../src/cli/accounts';
import { watchOperation } from '../src/cli/operations';
import { groups } from '../src/contracts/names';
import type { Operation } from '../src/contracts/operation';
import { delegable } from '../src/domain/admission';
import type { Asker } from './schemathesis';

/** Whom the API is asked as. `operator` comes last: it does away with what the others had. */
export const roleNames = ['nobody', 'member', 'approver', 'auditor', 'key', 'administrator', 'operator'] as const;
export type RoleName = (typeof roleNames)[number];

const rate = { requestsPerMinute: 1_000_000, burst: 1_000_000 };
const missing = { session: 'ses-missing', user: '00000000-0000-4000-8000-000000000000', key: '0'.repeat(16) };

/** Tenants, users and what they have, made for a run. */
export class Cast {
  private constructor(private readonly accounts: LocalAccounts, private readonly api: ApiClient, private readonly operatorToken: string) {}

  /** Two tenants whose users ask, and one that operators do to what they like. */
  static async make(accounts: LocalAccounts, apiUrl: string): Promise<Cast> {
    const cast = new Cast(accounts, new ApiClient(apiUrl), await accounts.operatorToken());
    await Promise.all(['asking', 'other', 'toy'].map((tenantId) => cast.onboard(tenantId)));
    return cast;
  }

  /** Tokens are good for an hour: each role gets its own when its turn comes. */
  async asker(name: RoleName): Promise<Asker> {
    const [own, others] = await Promise.all([this.belongings('asking'), this.belongings('other')]);
    const known = {
      tenantId: ['asking', 'other', 'never-made'],
      sessionId: [own.sessionId, others.sessionId, missing.session],
      userId: [own.victimId, others.victimId, missing.user],
      keyId: [own.keyId, others.keyId, missing.key],
      'x-amzn-bedrock-agentcore-runtime-session-id': [`asking_${own.sessionId}`, `other_${others.sessionId}`],
    };
    if (name === 'nobody') return { name, known };
    if (name === 'key') return { name, known, token: own.key };
    if (name === 'operator') return { name, known: { ...known, tenantId: ['toy', 'never-made'], operationId: own.operations }, token: await this.accounts.operatorToken() };
    const group = { member: groups.members, approver: groups.approvers, auditor: groups.auditors, administrator: groups.administrators }[name];
    const { accessToken } = await this.accounts.userTokens('asking', `${name}@asking.example`, [group]);
    // What is one's own: of a member, the session.
    const session = name === 'member' ? [await this.session('asking', accessToken)] : [];
    return { name, token: accessToken, known: { ...known, sessionId: [...session, ...known.sessionId] } };
  }

  private async onboard(tenantId: string): Promise<void> {
    const body = { tenantId, rate, administrator: { email: `admin@${tenantId}.example` } };
    const { operationId } = await this.api.call<Operation>('/api/v1/tenants', { method: 'POST', token: this.operatorToken, body });
    const { state } = await watchOperation(this.api, operationId, this.operatorToken);
    if (state !== 'completed') throw new Error(`The onboarding of ${tenantId} came to ${state}`);
  }

  private async session(tenantId: string, token: string): Promise<string> {
    const { sessionId } = await this.api.call<{ sessionId: string }>(`/api/v1/tenants/${tenantId}/sessions`, { method: 'POST', token, body: {} });
    return sessionId;
  }

  private async belongings(tenantId: string) {
    const { accessToken } = await this.accounts.userTokens(tenantId, `maker@${tenantId}.example`, [groups.administrators]);
    const { userId: victimId } = await this.accounts.userTokens(tenantId, `victim@${tenantId}.example`);
    const makeKey = (permissions: readonly string[]) =>
      this.api.call<{ keyId: string; key: string }>(`/api/v1/tenants/${tenantId}/api-keys`, { method: 'POST', token: accessToken, body: { name: 'of a campaign', permissions } });
    const { key } = await makeKey(delegable);
    const { keyId } = await makeKey(['read:session']);
    const { data } = await this.api.call<{ data: Operation[] }>('/api/v1/operations', { token: await this.accounts.operatorToken() });
    return { sessionId: await this.session(tenantId, accessToken), victimId, key, keyId, operations: data.map(({ operationId }) => operationId) };
  }
}
