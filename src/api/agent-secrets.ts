import { DomainError, noneIf } from '../contracts/errors';
import type { AgentConfig } from '../contracts/tenant';
import { isAllowedOrigin } from '../domain/egress';

/** An agent as it is shown: nobody reads a secret back. */
export function withoutSecret(agent: AgentConfig): AgentConfig {
  const { approvalWebhook, ...rest } = agent;
  return approvalWebhook ? { ...rest, approvalWebhook: { url: approvalWebhook.url } } : rest;
}

/**
 * The new agent with the secret it leaves out, as the old one has it. Only then is the old one read: one that is damaged is mended by being replaced.
 * @throws DomainError `config/invalid` when there is none, or when the webhook's origin is not allowed.
 */
export async function withSecretOf(agent: AgentConfig, before: () => Promise<AgentConfig>): Promise<AgentConfig> {
  const { approvalWebhook, allowedOrigins } = agent;
  if (!approvalWebhook) return agent;
  if (!isAllowedOrigin(allowedOrigins, approvalWebhook.url))
    throw new DomainError('config/invalid', `approvalWebhook: ${new URL(approvalWebhook.url).origin} is not among the allowedOrigins.`);
  const secret = approvalWebhook.secret ?? (await before().catch(noneIf('config/unreadable')))?.approvalWebhook?.secret;
  if (secret === undefined) throw new DomainError('config/invalid', 'approvalWebhook: a secret is needed, whsec_ and 24-64 bytes in Base64.');
  return { ...agent, approvalWebhook: { ...approvalWebhook, secret } };
}
