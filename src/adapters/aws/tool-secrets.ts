import { DeleteParameterCommand, GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { tenantResources, toolSecretName } from '../../contracts/names';
import type { ToolSecrets } from '../../ports/tool-sources';
import { isAwsError } from './failures';
import type { TenantAccess } from './tenant-access';

/** Each a SecureString under the tenant's key, read with the credentials of the tenant's role alone. */
export function createToolSecrets({ access }: { access: TenantAccess }): ToolSecrets {
  const ssmOf = (tenantId: string, purpose: 'config-read' | 'config-write' | 'erase') => access.clients(tenantId, purpose).ssm;

  return {
    async put(tenantId, source, secret) {
      const { keyAlias } = tenantResources(tenantId);
      await ssmOf(tenantId, 'config-write').send(new PutParameterCommand({ Name: toolSecretName(tenantId, source), Value: secret, Type: 'SecureString', KeyId: keyAlias, Overwrite: true }));
    },

    async get(tenantId, source) {
      try {
        const { Parameter } = await ssmOf(tenantId, 'config-read').send(new GetParameterCommand({ Name: toolSecretName(tenantId, source), WithDecryption: true }));
        return Parameter?.Value;
      } catch (error) {
        if (isAwsError(error, 'ParameterNotFound')) return undefined;
        throw error;
      }
    },

    async delete(tenantId, source) {
      try {
        await ssmOf(tenantId, 'erase').send(new DeleteParameterCommand({ Name: toolSecretName(tenantId, source) }));
      } catch (error) {
        if (!isAwsError(error, 'ParameterNotFound')) throw error;
      }
    },
  };
}
