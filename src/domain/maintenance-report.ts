import type { Finding, MaintenanceReport } from '../contracts/maintenance';

/** Keeps a report, and the state a workflow carries, well under Temporal's 2 MB. Who has more has one cause for many of them. */
export const mostFindings = 1_000;

/** A run under way; it is carried from one run of its workflow to the next. */
export interface InspectionProgress {
  readonly startedAt: string;
  readonly tenants: number;
  readonly findings: readonly Finding[];
  readonly omitted: number;
  /** Where the list of tenants goes on. */
  readonly cursor?: string;
}

export const beginInspection = (startedAt: string): InspectionProgress => ({ startedAt, tenants: 0, findings: [], omitted: 0 });

/** Adds what was found at one more tenant, or at none. */
export function noteFindings(progress: InspectionProgress, findings: readonly Finding[], tenants = 1): InspectionProgress {
  const room = mostFindings - progress.findings.length;
  return {
    ...progress,
    tenants: progress.tenants + tenants,
    findings: [...progress.findings, ...findings.slice(0, room)],
    omitted: progress.omitted + Math.max(0, findings.length - room),
  };
}

/** What could not even be looked at is a finding, too: the others are looked at all the same. */
export const checkFailed = (subject: string, message: string, tenantId?: string): Finding => ({
  kind: 'check/failed',
  ...(tenantId !== undefined && { tenantId }),
  subject,
  message,
  repair: 'none',
});

const isOpen = ({ repair }: Finding): boolean => repair !== 'done';

/** @param name - of the job. */
export function reportOf(name: string, { startedAt, tenants, findings, omitted }: InspectionProgress, finishedAt: string): MaintenanceReport {
  const outcome = findings.some(isOpen) || omitted > 0 ? 'findings' : 'clean';
  return { format: 'tenure-report/1', name, startedAt, finishedAt, outcome, tenants, findings: [...findings], omitted };
}

const shownRows = 100;
const repairs: Readonly<Record<Finding['repair'], string>> = { done: '✓ repaired', failed: '✗ not repaired', possible: 'can be repaired', none: 'needs a person' };

/** What an operator sees as current details in the Temporal UI. */
export function findingsToMarkdown({ tenants, findings, omitted }: InspectionProgress): string {
  const open = findings.filter(isOpen).length;
  const rows = findings.slice(0, shownRows).map(({ kind, tenantId, subject, message, repair }) => `| ${[tenantId, kind, subject, message, repairs[repair]].map(cell).join(' | ')} |`);
  const more = findings.length - rows.length + omitted;
  return [
    `**${tenants} tenants looked at: ${open + omitted} open findings, ${findings.length - open} repaired**`,
    ...(rows.length > 0 ? ['', '| tenant | kind | about | what | |', '|---|---|---|---|---|', ...rows] : []),
    ...(more > 0 ? ['', `… and ${more} more: see the report.`] : []),
  ].join('\n');
}

/** A text must not break out of its cell. */
const cell = (text = ''): string => text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').slice(0, 300);
