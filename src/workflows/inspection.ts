import { isCancellation, rootCause, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import type { TenantPage } from '../activities/maintenance/reports';
import { publicFailure } from '../contracts/errors';
import type { Finding, MaintenanceReport } from '../contracts/maintenance';
import type { MaintenanceJobName } from '../contracts/names';
import { inParallel } from '../domain/in-parallel';
import { beginInspection, checkFailed, findingsToMarkdown, type InspectionProgress, noteFindings, reportOf } from '../domain/maintenance-report';
import { publishReport } from './maintenance-activities';

/** Tenants looked at side by side: enough for thousands in an hour, and no storm on AWS. */
const sideBySide = 8;
/** Some ten events of history each. */
const tenantsPerRun = 300;

/** An inspection of many, shown while it runs. One that fails is a finding, and the others go on. */
export class Inspection {
  constructor(private current: InspectionProgress = beginInspection(new Date().toISOString())) {}

  get progress(): InspectionProgress {
    return this.current;
  }

  /**
   * Looks at every tenant of the pages.
   * @returns false when the history has grown long: go on from `progress` in a new run.
   */
  async all(pageAfter: (cursor: string | undefined) => Promise<TenantPage>, inspect: (tenantId: string) => Promise<Finding[]>, more?: () => string): Promise<boolean> {
    const enough = this.current.tenants + tenantsPerRun;
    for (;;) {
      const { tenantIds, nextCursor } = await pageAfter(this.current.cursor);
      await inParallel(tenantIds, sideBySide, (tenantId) => this.one(tenantId, () => inspect(tenantId), tenantId, more));
      if (nextCursor === undefined) return true;
      this.current = { ...this.current, cursor: nextCursor };
      if (this.current.tenants >= enough || workflowInfo().continueAsNewSuggested) return false;
    }
  }

  /** @param subject - what it is about, should it fail. `more`: what to show beneath. */
  async one(subject: string, inspect: () => Promise<Finding[]>, tenantId?: string, more = () => ''): Promise<void> {
    const findings = await inspect().catch((error: unknown) => {
      if (isCancellation(error)) throw error;
      return [checkFailed(subject, failureText(error), tenantId)];
    });
    this.current = noteFindings(this.current, findings, tenantId === undefined ? 0 : 1);
    setCurrentDetails(findingsToMarkdown(this.current) + more());
  }

  /** @returns what an operator sees as the workflow's result. */
  async publish(name: MaintenanceJobName, more: Pick<MaintenanceReport, 'drills' | 'probes'> = {}): Promise<Pick<MaintenanceReport, 'outcome' | 'tenants' | 'omitted'> & { findings: number }> {
    const report = reportOf(name, this.current, new Date().toISOString());
    await publishReport({ ...report, ...more });
    const { outcome, tenants, omitted, findings } = report;
    return { outcome, tenants, omitted, findings: findings.length };
  }
}

/** What went wrong, for operators. */
export const failureText = (error: unknown): string => {
  const { code, message } = publicFailure(error, 'internal/bug');
  return code === 'internal/bug' ? (rootCause(error) ?? message) : message;
};
