import { z } from 'zod';
import { PurgeRecord, SignedCertificate } from '../../contracts/certificate';
import { PublicKey } from '../../contracts/public-key';
import { DomainError } from '../../contracts/errors';
import { operationIdPattern } from '../../contracts/names';
import { writtenText } from '../../contracts/written-text';
import { keptBecause } from '../../domain/tombstone';
import type { Certificates } from '../../ports/certificates';
import type { TenantRegistry } from '../../ports/tenant-registry';
import { certificatePage } from '../pages/certificate-page';
import { queryBoolean } from '../query-values';
import { operatorRoute, publicRoute, type Route } from '../route';
import { TenantPath } from './paths';

const Purge = z
  .strictObject({ force: queryBoolean.default(false), reason: writtenText({ min: 10, max: 500 }).optional() })
  .refine(({ force, reason }) => !force || reason !== undefined, { path: ['reason'], message: 'say why it cannot wait' });

export interface CertificateRoutesDeps {
  readonly registry: TenantRegistry;
  readonly certificates: Certificates;
}

/** What stays of a tenant that has left: proof that it is gone, and its id. */
export const certificateRoutes = ({ registry, certificates }: CertificateRoutesDeps): Route[] => [
  operatorRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/certificate',
    summary: 'Show the deletion certificate of a tenant that has left: signed JSON, or with Accept: text/html a page to print',
    permission: 'read:tenant',
    params: TenantPath,
    query: z.object({ operationId: z.string().regex(operationIdPattern, 'not an operation id').optional() }),
    response: SignedCertificate,
    status: 200,
    hasPage: true,
    async handle({ params: { tenantId }, query: { operationId }, wantsPage }) {
      const signed = await certificates.find(tenantId, operationId);
      if (!signed) throw new DomainError('certificate/not-found', `There is no deletion certificate of ${tenantId}: it is issued when an offboarding is complete.`);
      return wantsPage ? { page: certificatePage(signed) } : { body: signed };
    },
  }),
  publicRoute({
    method: 'get',
    path: '/api/v1/certificates/key',
    summary: 'The public key that deletion certificates are signed with',
    response: z.object({ jwk: PublicKey, pem: z.string() }),
    status: 200,
    handle: async () => ({ body: await certificates.key() }),
  }),
  operatorRoute({
    method: 'delete',
    path: '/api/v1/tenants/{tenantId}/tombstone',
    summary: 'Give the id of a deleted tenant back, once its keys are gone; force=true with a reason does not wait',
    permission: 'write:tenant',
    params: TenantPath,
    query: Purge,
    response: PurgeRecord,
    status: 200,
    async handle({ params: { tenantId }, query: { force, reason }, caller }) {
      const tenant = await registry.get(tenantId);
      if (!tenant) throw new DomainError('tenant/not-found', `There is no tenant ${tenantId}, and no tombstone of one.`);
      const now = new Date();
      const because = keptBecause(tenant, now.getTime());
      if (because !== undefined && (tenant.status !== 'deleted' || !force)) throw new DomainError(tenant.status === 'deleted' ? 'tenant/id-kept' : 'tenant/not-deleted', because);
      const { operationId } = tenant;
      const isEarly = because !== undefined && reason !== undefined;
      // Noted first: an id that is free again is never without a word of who freed it.
      const record = await certificates.notePurge({ tenantId, operationId, purgedAt: now.toISOString(), purgedBy: caller.userId, ...(isEarly && { forcedBecause: reason }) });
      await registry.purge(tenantId, operationId);
      return { body: record };
    },
  }),
];
