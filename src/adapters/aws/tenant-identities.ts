import {
  type BedrockAgentCoreControlClient,
  CreateOauth2CredentialProviderCommand,
  CreateWorkloadIdentityCommand,
  DeleteOauth2CredentialProviderCommand,
  DeleteWorkloadIdentityCommand,
  GetOauth2CredentialProviderCommand,
  GetWorkloadIdentityCommand,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { tenantResources } from '../../contracts/names';
import type { TenantIdentities } from '../../ports/provisioning';
import { tagsOf, untilGone } from './agent-core';
import { ifThere } from './failures';

/** The authorization server from which agents get tokens for what they call. */
export interface IdentitySettings {
  /** Ends in `/.well-known/openid-configuration`. */
  readonly discoveryUrl: string;
  readonly clientId: string;
  /** Where the client's secret lies in Secrets Manager: AgentCore reads it there, and Tenure never. */
  readonly secretId: string;
  /** The key under which the secret's JSON has it. */
  readonly secretKey: string;
}

interface Dependencies {
  readonly agentCoreControl: BedrockAgentCoreControlClient;
  /** Switched off when undefined. */
  readonly settings: IdentitySettings | undefined;
}

export function createTenantIdentities({ agentCoreControl: client, settings }: Dependencies): TenantIdentities {
  const describeWorkload = (name: string) => ifThere(client.send(new GetWorkloadIdentityCommand({ name })));
  const describeProvider = (name: string) => ifThere(client.send(new GetOauth2CredentialProviderCommand({ name })));

  async function ensureWorkload(tenantId: string): Promise<string | undefined> {
    const { workloadIdentity: name } = tenantResources(tenantId);
    const found = (await describeWorkload(name)) ?? (await client.send(new CreateWorkloadIdentityCommand({ name, tags: tagsOf(tenantId) })));
    return found.workloadIdentityArn;
  }

  async function ensureProvider(tenantId: string, { discoveryUrl, clientId, secretId, secretKey }: IdentitySettings): Promise<string | undefined> {
    const { credentialProvider: name } = tenantResources(tenantId);
    const found =
      (await describeProvider(name)) ??
      (await client.send(
        new CreateOauth2CredentialProviderCommand({
          name,
          credentialProviderVendor: 'CustomOauth2',
          oauth2ProviderConfigInput: {
            customOauth2ProviderConfig: {
              oauthDiscovery: { discoveryUrl },
              clientId,
              clientSecretSource: 'EXTERNAL',
              clientSecretConfig: { secretId, jsonKey: secretKey },
            },
          },
          tags: tagsOf(tenantId),
        }),
      ));
    return found.credentialProviderArn;
  }

  return {
    async create({ tenantId }) {
      if (!settings) return undefined;
      const workloadIdentityArn = await ensureWorkload(tenantId);
      const credentialProviderArn = await ensureProvider(tenantId, settings);
      if (!workloadIdentityArn || !credentialProviderArn) throw new Error('AgentCore answered without an identity.');
      return { workloadIdentityArn, credentialProviderArn };
    },

    async delete(tenantId, waiting) {
      const { workloadIdentity, credentialProvider } = tenantResources(tenantId);
      await ifThere(client.send(new DeleteOauth2CredentialProviderCommand({ name: credentialProvider })));
      await untilGone(waiting, credentialProvider, () => describeProvider(credentialProvider));
      await ifThere(client.send(new DeleteWorkloadIdentityCommand({ name: workloadIdentity })));
    },
  };
}
