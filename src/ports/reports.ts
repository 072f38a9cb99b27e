import type { MaintenanceReport } from '../contracts/maintenance';
import type { PageRequest } from './page';

/** What the platform's jobs found, as objects of its bucket: `reports/{job}/{time}.json`. */
export interface Reports {
  /** Saving the same again is fine. The oldest over a few hundred of a job are deleted. */
  save(report: MaintenanceReport): Promise<void>;
  /** Newest first. @throws DomainError `request/malformed` when the cursor is none. */
  list(name: string, page: PageRequest): Promise<{ reports: MaintenanceReport[]; nextCursor?: string }>;
}
