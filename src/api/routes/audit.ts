import { z } from 'zod';
import { AuditEntry, AuditExportHeader, auditOutcomes, SignedCheckpoint } from '../../contracts/audit';
import { PublicKey } from '../../contracts/public-key';
import { auditChainOf } from '../../contracts/names';
import { AnyTenantId } from '../../contracts/tenant';
import { matches } from '../../domain/audit';
import type { AuditLog } from '../../ports/audit';
import { exportOf } from '../audit-export';
import { mustNotEndBefore } from '../log-place';
import { operatorRoute, publicRoute, type Route, sharedRoute } from '../route';
import { queryInteger, queryTime } from '../query-values';
import { pageOf, pageOfList } from './paging';

const TenantPath = z.object({ tenantId: AnyTenantId });

const Filter = pageOfList('audit').extend({
  since: queryTime.optional().describe('that time or later: a date, or an ISO time in UTC'),
  until: queryTime.optional().describe('before that time'),
  actor: z.string().min(1).max(256).optional().describe('the id of who did it'),
  action: z.string().min(1).max(256).optional().describe('a part of the action'),
  object: z.string().min(1).max(256).optional().describe('a part of the object'),
  outcome: z.enum(auditOutcomes).optional(),
});

const After = z.object({ after: queryInteger({ min: 0 }).default(0).describe('the number of the entry it begins behind') });

const OfChain = z.object({ tenantId: AnyTenantId.optional().describe("a tenant's log, of one that has left too; the platform's without it") });

const Line = z.union([AuditExportHeader, AuditEntry, SignedCheckpoint]);

export interface AuditRoutesDeps {
  readonly audit: AuditLog;
}

/** Who did what. A tenant's administrators see what was written since the tenant was made: its id may have been another's before. */
export const auditRoutes = ({ audit }: AuditRoutesDeps): Route[] => [
  sharedRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/audit',
    summary: 'List who did what in this tenant, and who was refused, newest first; a page may be empty without being the last',
    permission: 'read:audit',
    params: TenantPath,
    query: Filter,
    response: pageOf(AuditEntry),
    status: 200,
    handle: async ({ params: { tenantId }, query, tenant }) => ({ body: await pageOfChain(audit, auditChainOf(tenantId), query, tenant.createdAt) }),
  }),
  sharedRoute({
    method: 'get',
    path: '/api/v1/tenants/{tenantId}/audit/export',
    summary: "Export this tenant's audit log as JSON Lines, signed at its end",
    permission: 'read:audit',
    params: TenantPath,
    query: After,
    response: Line,
    status: 200,
    isLines: true,
    audit: 'counted',
    async handle({ params: { tenantId }, query: { after }, tenant }) {
      const chain = auditChainOf(tenantId);
      return exported(audit, chain, Math.max(after, await lastBefore(audit, chain, tenant.createdAt)));
    },
  }),
  operatorRoute({
    method: 'get',
    path: '/api/v1/audit',
    summary: "List what was done in the platform, or with tenantId the whole of a tenant's log, newest first",
    permission: 'read:audit',
    query: Filter.extend(OfChain.shape),
    response: pageOf(AuditEntry),
    status: 200,
    handle: async ({ query: { tenantId, ...query } }) => ({ body: await pageOfChain(audit, auditChainOf(tenantId), query, '') }),
  }),
  operatorRoute({
    method: 'get',
    path: '/api/v1/audit/export',
    summary: "Export the platform's audit log, or with tenantId a tenant's, as JSON Lines, signed at its end",
    permission: 'read:audit',
    query: After.extend(OfChain.shape),
    response: Line,
    status: 200,
    isLines: true,
    audit: 'counted',
    handle: ({ query: { tenantId, after } }) => exported(audit, auditChainOf(tenantId), after),
  }),
  publicRoute({
    method: 'get',
    path: '/api/v1/audit/key',
    summary: 'The public key that heads of the audit log are signed with',
    response: z.object({ jwk: PublicKey, pem: z.string() }),
    status: 200,
    handle: async () => ({ body: await audit.key() }),
  }),
];

/** Clocks of those who write differ by less. */
const clockSlackMs = 10 * 60_000;
/** Entries looked at for one page. */
const mostScanned = 2_000;

async function pageOfChain(audit: AuditLog, chain: string, { limit, cursor, ...filter }: z.output<typeof Filter>, notBefore: string) {
  const since = filter.since !== undefined && filter.since > notBefore ? filter.since : notBefore;
  const stopAt = since === '' ? '' : new Date(Date.parse(since) - clockSlackMs).toISOString();
  const data: AuditEntry[] = [];
  let scanned = 0;
  for await (const entry of audit.readBack(chain, cursor === undefined ? undefined : Number(cursor))) {
    if (data.length === limit || scanned === mostScanned) return { data, nextCursor: String(entry.seq + 1) };
    if (entry.at < stopAt) break;
    scanned += 1;
    if (entry.at >= notBefore && matches(filter, entry)) data.push(entry);
  }
  return { data };
}

/** The last entry that was written before then; 0 when there is none. */
async function lastBefore(audit: AuditLog, chain: string, at: string): Promise<number> {
  let last = 0;
  for await (const entry of audit.read(chain)) {
    if (entry.at >= at) break;
    last = entry.seq;
  }
  return last;
}

async function firstOf(audit: AuditLog, chain: string): Promise<number> {
  for await (const { seq } of audit.read(chain)) return seq;
  return 0;
}

async function exported(audit: AuditLog, chain: string, after: number) {
  const head = await audit.head(chain);
  // What is over its time is not there any more: a whole export begins behind it.
  const from = after === 0 ? Math.max(0, (await firstOf(audit, chain)) - 1) : after;
  mustNotEndBefore(after, head.seq, 'entries');
  return { lines: exportOf(audit, chain, from, head), headers: { 'Content-Disposition': `attachment; filename="audit-${chain}.jsonl"` } };
}
