import { createHash } from 'node:crypto';
import { DeleteParameterCommand, GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { tenantResources, toolSecretName } from '../../contracts/names';
import type { SecretOwner, ToolSecrets } from '../../ports/tool-sources';
import { isAwsError } from './failures';
import type { TenantAccess } from './tenant-access';

/**
 * Each a SecureString under the tenant's key, read with the credentials of the tenant's role alone: `servers:`, a digest of the servers it was set for, `:`
 * and the secret. Those of old are the secret alone.
 */
export function createToolSecrets({ access }: { access: TenantAccess }): ToolSecrets {
  const ssmOf = (tenantId: string, purpose: 'config-read' | 'config-write' | 'erase') => access.clients(tenantId, purpose).ssm;

  return {
    async put(tenantId, source, secret) {
      const { keyAlias } = tenantResources(tenantId);
      await ssmOf(tenantId, 'config-write').send(new PutParameterCommand({ Name: toolSecretName(tenantId, source.name), Value: markOf(source) + secret, Type: 'SecureString', KeyId: keyAlias, Overwrite: true }));
    },

    async get(tenantId, source) {
      try {
        const { Parameter } = await ssmOf(tenantId, 'config-read').send(new GetParameterCommand({ Name: toolSecretName(tenantId, source.name), WithDecryption: true }));
        return secretIn(Parameter?.Value, source);
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

const marked = /^servers:[\w-]{43}:/;

const markOf = ({ secretOrigins, tokenOrigins = [] }: SecretOwner): string => {
  const servers = [secretOrigins, tokenOrigins].map((origins) => origins.toSorted());
  return `servers:${createHash('sha256').update(JSON.stringify(servers)).digest('base64url')}:`;
};

function secretIn(kept: string | undefined, source: SecretOwner): string | undefined {
  if (kept === undefined || !marked.test(kept)) return kept;
  const mark = markOf(source);
  return kept.startsWith(mark) ? kept.slice(mark.length) : undefined;
}
