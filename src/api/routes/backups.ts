import { z } from 'zod';
import { BackupSummary } from '../../contracts/backup';
import { DomainError, noneIf } from '../../contracts/errors';
import { backupIdPattern } from '../../contracts/names';
import { Operation } from '../../contracts/operation';
import { AnyTenantId } from '../../contracts/tenant';
import { farewellExpiresAt } from '../../domain/retention';
import type { Backups } from '../../ports/backups';
import type { Operations } from '../../ports/operations';
import { accepted, operationIdFor } from '../accepted-operation';
import { operatorRoute, type Route } from '../route';
import { TenantPath } from './paths';

const BackupId = z.string().regex(backupIdPattern, 'not a backup id');
const BackupPath = TenantPath.extend({ backupId: BackupId });

const Restore = z.strictObject({
  backupId: BackupId,
  sourceTenantId: AnyTenantId.optional(),
  until: z.iso.datetime({ offset: true }).optional(),
});

export interface BackupRoutesDeps {
  readonly backups: Backups;
  readonly operations: Operations;
}

export const backupRoutes = (deps: BackupRoutesDeps): Route[] => [...readingRoutes(deps), ...startingRoutes(deps), deletingRoute(deps)];

async function mustGet(backups: Backups, { tenantId, backupId }: { tenantId: string; backupId: string }): Promise<BackupSummary> {
  const backup = await backups.get(tenantId, backupId);
  if (!backup) throw new DomainError('backup/not-found', `There is no backup ${backupId} of ${tenantId}.`);
  return backup;
}

const readingRoutes = ({ backups }: BackupRoutesDeps): Route[] => [
  operatorRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/backups',
    summary: 'List the backups of a tenant, newest first; of one that has left, too',
    permission: 'read:tenant',
    params: TenantPath,
    response: z.object({ data: z.array(BackupSummary) }),
    status: 200,
    handle: async ({ params: { tenantId } }) => ({ body: { data: await backups.list(tenantId) } }),
  }),
  operatorRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/backups/{backupId}',
    summary: 'Show a backup: its size, what it holds, and whether it was verified',
    permission: 'read:tenant',
    params: BackupPath,
    response: BackupSummary,
    status: 200,
    handle: async ({ params }) => ({ body: await mustGet(backups, params) }),
  }),
];

const startingRoutes = ({ operations }: BackupRoutesDeps): Route[] => [
  operatorRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/backups',
    idempotent: true,
    summary: 'Back a tenant up, and verify the backup',
    permission: 'write:tenant',
    params: TenantPath,
    body: z.strictObject({}),
    response: Operation,
    status: 202,
    handle: async ({ params: { tenantId }, idempotencyKey }) =>
      accepted(await operations.start('backup', operationIdFor('backup', tenantId, idempotencyKey), { tenantId, reason: 'on-demand' })),
  }),
  operatorRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/backups/{backupId}/verify',
    idempotent: true,
    summary: 'Read a backup back, and mark it as verified',
    permission: 'write:tenant',
    params: BackupPath,
    body: z.strictObject({}),
    response: Operation,
    status: 202,
    handle: async ({ params, idempotencyKey }) =>
      accepted(await operations.start('backupVerification', operationIdFor('backupVerification', params.tenantId, idempotencyKey), params)),
  }),
  operatorRoute({
    method: 'post',
    path: '/api/v1/tenants/{tenantId}/restore',
    idempotent: true,
    summary: 'Restore a backup: into a new tenant id, or in place of what a suspended tenant has',
    permission: 'write:tenant',
    params: TenantPath,
    body: Restore,
    response: Operation,
    status: 202,
    async handle({ params: { tenantId }, body: { backupId, sourceTenantId = tenantId, until }, idempotencyKey }) {
      const request = { tenantId, sourceTenantId, backupId, ...(until !== undefined && { until }) };
      return accepted(await operations.start('restore', operationIdFor('restore', tenantId, idempotencyKey), request));
    },
  }),
];

/** @throws DomainError `backup/in-use` */
function mustBeOver({ createdAt, reason }: BackupSummary): void {
  const expiresAt = farewellExpiresAt(createdAt);
  if (reason === 'farewell' && Date.now() < Date.parse(expiresAt)) throw new DomainError('backup/in-use', `It is all that is left of a tenant: it can be deleted from ${expiresAt} on.`);
}

const deletingRoute = ({ backups }: BackupRoutesDeps): Route =>
  operatorRoute({
    method: 'delete',
    path: '/api/v1/tenants/{tenantId}/backups/{backupId}',
    summary: 'Delete a backup; what a tenant that has left took along stays until it expires',
    permission: 'write:tenant',
    params: BackupPath,
    response: z.object({}),
    status: 204,
    async handle({ params }) {
      // Nothing restores from what is damaged: it may be deleted at any time.
      const backup = await mustGet(backups, params).catch(noneIf('backup/incomplete'));
      if (backup) mustBeOver(backup);
      await backups.delete(params.tenantId, params.backupId);
      return { status: 204 };
    },
  });
