import { Context } from '@temporalio/activity';
import type { BackupEvidence, RehearsalEvidence } from '../../contracts/certificate';
import { DomainError } from '../../contracts/errors';
import type { OffboardingRequest, Operation } from '../../contracts/operation';
import { certify } from '../../domain/certificate';
import { describeResource, leftovers } from '../../domain/inventory';
import { farewellExpiresAt } from '../../domain/retention';
import type { Certificates } from '../../ports/certificates';
import type { TenantData, TenantWork } from '../../ports/provisioning';
import type { TenantInventory } from '../../ports/tenant-inventory';
import type { TenantRegistry } from '../../ports/tenant-registry';

export interface CertificateDeps {
  readonly registry: TenantRegistry;
  readonly inventory: TenantInventory;
  readonly certificates: Certificates;
  readonly data: TenantData;
  readonly work: TenantWork;
}

export interface IssueCertificateInput {
  readonly tenantId: string;
  readonly operationId: string;
  readonly operation: Operation;
  readonly request: OffboardingRequest;
  readonly rehearsal: RehearsalEvidence;
}

/** What a deletion leaves behind: proof. */
export const createCertificateActivities = ({ registry, inventory, certificates, data, work }: CertificateDeps) => ({
  /** Notes all there is before anything is deleted. @returns how many things that is. */
  async keepInventory({ tenantId, operationId }: { tenantId: string; operationId: string }): Promise<{ location: string; resources: number }> {
    const report = await inventory.inspect(tenantId, Context.current().info.workflowExecution);
    const { location, value } = await certificates.keepInventory({ tenantId, operationId }, report);
    return { location, resources: value.resources.length };
  },

  /** Ends what of the tenant still runs in Temporal; with `deleteHistories`, deletes what its sessions left there. */
  async endWork({ tenantId, deleteHistories }: { tenantId: string; deleteHistories: boolean }): Promise<void> {
    await work.end(tenantId, { workflowId: Context.current().info.workflowExecution?.workflowId ?? '' });
    if (deleteHistories) await work.deleteHistories(tenantId);
  },

  /**
   * Looks for everything once more, and signs what was found: there is no certificate of a tenant that still has something.
   * One for each operation, however often it is asked for.
   * @throws DomainError `infrastructure/failed` that names what is still there; `dependency/unavailable`.
   */
  async issueCertificate({ tenantId, operationId, operation, request, rehearsal }: IssueCertificateInput): Promise<void> {
    if (await certificates.find(tenantId, operationId)) return;
    const after = await inventory.inspect(tenantId, Context.current().info.workflowExecution);
    const left = leftovers(after.resources);
    if (left.length > 0) throw new DomainError('infrastructure/failed', `Still there: ${left.map(describeResource).join(', ')}`);
    const [record, before, keys, backup] = await Promise.all([
      registry.get(tenantId),
      certificates.inventory({ tenantId, operationId }),
      data.scheduleKeyDeletion(tenantId),
      backupEvidence(certificates, operation),
    ]);
    if (record?.status !== 'deleted' || record.operationId !== operationId) throw new Error(`${tenantId} has no tombstone of ${operationId}.`);
    if (!before) throw new Error(`The inventory of ${operationId} is not there.`);
    const { value: report, storedAt: takenAt, ...place } = before;
    const issuedAt = new Date().toISOString();
    await certificates.issue(certify({ displayName: record.displayName, operation, request, before: { report, takenAt, ...place }, after, keys, backup, rehearsal, issuedAt }));
  },
});

async function backupEvidence(certificates: Certificates, { tenantId, backupId = '', steps }: Operation): Promise<BackupEvidence> {
  const manifest = await certificates.backup(tenantId, backupId);
  const verifiedAt = steps.find(({ name }) => name === 'verify_backup')?.finishedAt;
  if (!manifest || verifiedAt === undefined) throw new DomainError('backup/incomplete', `The backup ${backupId} is not there any more.`);
  const { value, location, sha256 } = manifest;
  return {
    backupId,
    location,
    sha256,
    format: value.format,
    takenAt: value.createdAt,
    verifiedAt,
    records: value.parts.reduce((sum, { records }) => sum + records, 0),
    expiresAt: farewellExpiresAt(value.createdAt),
  };
}
