import { Webhook as Signer } from 'standardwebhooks';
import type { HttpCaller } from '../../ports/http-caller';
import type { Webhooks } from '../../ports/webhooks';

const timeoutMs = 15_000;
/** Of what a receiver answers only status and headers are of interest. */
const maxResponseBytes = 0;

/** Goes out as the tools do, with the same checks. */
export const createWebhooks = (http: HttpCaller): Webhooks => ({
  async deliver({ url, secret, id, payload, signal }) {
    const at = new Date();
    const body = JSON.stringify(payload);
    const headers = {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': new Signer(secret).sign(id, at, body),
    };
    const { status, retryAfter } = await http.call({ method: 'POST', url, headers, body, timeoutMs, maxResponseBytes, signal });
    return { status, ...(retryAfter !== undefined && { retryAfter }) };
  },
});
