import { type LocalAccounts, localAccounts } from '../../src/cli/accounts';
import { ApiClient } from '../../src/cli/api-client';
import { watchOperation } from '../../src/cli/operations';
import type { LiveEntry } from '../../src/contracts/events';
import { workflowIds } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import type { LocalPlatform } from '../../src/local/platform';
import type { Arm, Conversation } from './arm';

/** Limits are for tenants, not for measuring. */
export const unlimited = { requestsPerMinute: 1_000_000, burst: 1_000_000 };

/** Tenure as a product uses it: its HTTP API, a tenant of its own, everything encrypted and written down. */
export async function startTenureArm(platform: LocalPlatform, toolOrigin: string): Promise<Arm> {
  const tenant = await makeTenant(platform, { tenantId: 'bench', tier: 'premium', rate: unlimited, agent: { allowedOrigins: [toolOrigin] } });
  return { name: 'tenure', pids: () => [platform.services.api.pid, platform.services.worker.pid], openSession: tenant.openSession, stop: () => Promise.resolve() };
}

/** A tenant with one user, who talks to its agent. */
export interface BenchTenant {
  readonly openSession: () => Promise<StreamedConversation>;
}

export interface StreamedConversation extends Conversation {
  /** Asks, and hears the answer as it is written. */
  hear(text: string): AsyncIterable<string>;
}

/** @param request - as `POST /api/v1/tenants` takes it, but for the administrator. */
export async function makeTenant(platform: LocalPlatform, request: { readonly tenantId: string } & Readonly<Record<string, unknown>>): Promise<BenchTenant> {
  const api = new ApiClient(platform.settings.apiUrl);
  const accounts = localAccounts(platform.settings);
  const { tenantId } = request;
  await onboard(api, accounts, { ...request, administrator: { email: `admin@${tenantId}.example` } });
  const { accessToken: token } = await accounts.userTokens(tenantId, `user@${tenantId}.example`);
  return {
    async openSession() {
      const { sessionId } = await api.call<{ sessionId: string }>(`/api/v1/tenants/${tenantId}/sessions`, { method: 'POST', token, body: {} });
      return {
        workflowId: workflowIds.session(tenantId, sessionId),
        async ask(text) {
          const { answer, outcome } = await api.call<{ answer: string; outcome: string }>(`/api/v1/tenant/${tenantId}/agent`, { method: 'POST', token, body: { prompt: text, session_id: sessionId } });
          if (outcome !== 'completed') throw new Error(`tenure: ${outcome}`);
          return answer;
        },
        async *hear(text) {
          for await (const { data } of api.stream(`/api/v1/tenant/${tenantId}/agent`, { method: 'POST', token, body: { prompt: text, session_id: sessionId } })) {
            const entry = JSON.parse(data) as LiveEntry;
            if (entry.type === 'text.delta') yield entry.text;
            if (entry.type === 'turn.completed' && entry.outcome !== 'completed') throw new Error(`tenure: ${entry.outcome}`);
          }
        },
      };
    },
  };
}

async function onboard(api: ApiClient, accounts: LocalAccounts, body: object): Promise<void> {
  const token = await accounts.operatorToken();
  const { operationId } = await api.call<Operation>('/api/v1/tenants', { method: 'POST', token, body });
  const { state, error } = await watchOperation(api, operationId, token);
  if (state !== 'completed') throw new Error(`The tenant could not be made: ${JSON.stringify(error)}`);
}
