import { localAccounts } from '../../src/cli/accounts';
import { ApiClient } from '../../src/cli/api-client';
import { watchOperation } from '../../src/cli/operations';
import { workflowIds } from '../../src/contracts/names';
import type { Operation } from '../../src/contracts/operation';
import type { LocalPlatform } from '../../src/local/platform';
import type { Arm } from './arm';

const tenantId = 'bench';
/** Limits are for tenants, not for measuring. */
const rate = { requestsPerMinute: 1_000_000, burst: 1_000_000 };

/** Tenure as a product uses it: its HTTP API, a tenant of its own, everything encrypted and written down. */
export async function startTenureArm(platform: LocalPlatform, toolOrigin: string): Promise<Arm> {
  const api = new ApiClient(platform.settings.apiUrl);
  const accounts = localAccounts(platform.settings);
  const token = await accounts.operatorToken();
  const body = { tenantId, tier: 'premium', rate, administrator: { email: 'admin@bench.example' }, agent: { allowedOrigins: [toolOrigin] } };
  const { operationId } = await api.call<Operation>('/api/v1/tenants', { method: 'POST', token, body });
  const { state, error } = await watchOperation(api, operationId, token);
  if (state !== 'completed') throw new Error(`The tenant could not be made: ${JSON.stringify(error)}`);
  const user = await accounts.userTokens(tenantId, 'user@bench.example');

  return {
    name: 'tenure',
    pids: () => [platform.services.api.pid, platform.services.worker.pid],
    async openSession() {
      const { sessionId } = await api.call<{ sessionId: string }>(`/api/v1/tenants/${tenantId}/sessions`, { method: 'POST', token: user.accessToken, body: {} });
      return {
        workflowId: workflowIds.session(tenantId, sessionId),
        async ask(text) {
          const { outcome } = await api.call<{ outcome: string }>(`/api/v1/tenant/${tenantId}/agent`, {
            method: 'POST',
            token: user.accessToken,
            body: { prompt: text, session_id: sessionId },
          });
          if (outcome !== 'completed') throw new Error(`tenure: ${outcome}`);
        },
      };
    },
    stop: () => Promise.resolve(),
  };
}
