import { Context, log } from '@temporalio/activity';
import { codeOf, publicFailure } from '../../contracts/errors';
import type { ProbeAttempt, ProbeResult, ProbeSummary } from '../../contracts/isolation';
import type { Finding } from '../../contracts/maintenance';
import { metrics as names } from '../../contracts/names';
import type { ServedTenant } from '../../contracts/tenant';
import { type DoorAnswer, findingsOf, judge, type ProbePair, summaryOf } from '../../domain/isolation-probe';
import type { Door, Intruder, IsolationProbe, ProbeResults } from '../../ports/isolation-probe';
import type { Metrics } from '../../ports/metrics';
import type { TenantDirectory, TenantRegistry } from '../../ports/tenant-registry';
import { pairsFor, type ProbePage, probePairs } from './probe-pairs';

export interface IsolationProbeDeps {
  readonly registry: TenantRegistry;
  readonly directory: TenantDirectory;
  readonly metrics: Metrics;
  readonly isolationProbe: IsolationProbe;
  readonly probeResults: ProbeResults;
  /** Whether a tenant that got at another is to be suspended. */
  readonly suspendsIntruders: boolean;
}

export const createIsolationProbeActivities = (deps: IsolationProbeDeps) => ({
  /**
   * Who tries to get at whom tonight, page by page: each tenant that works at one other.
   * @param input - `tenantIds`: these try only. `at`: ISO time of the night.
   */
  async chooseForProbe({ at, tenantIds, cursor }: { at: string; tenantIds?: readonly string[] | undefined; cursor?: string | undefined }): Promise<ProbePage> {
    return tenantIds ? pairsFor(deps.registry, tenantIds, at) : probePairs(deps.registry, { at, cursor });
  },

  /** Tries every door, raises the alarm for what opened, and keeps the result. @param input - `email`: of the user it makes; remove it afterwards. */
  async probeTenant({ tenantId, otherTenantId, email }: ProbePair & { email: string }): Promise<{ summary: ProbeSummary; findings: Finding[]; suspend: boolean }> {
    const probedAt = new Date().toISOString();
    const [tenant, other] = await Promise.all([deps.directory.served(tenantId), deps.directory.served(otherTenantId)]);
    const doors = await deps.isolationProbe.doors(await intrude(deps, tenant, email), other);
    const attempts: ProbeAttempt[] = [];
    for (const door of doors) attempts.push(await attempt(door, tenant, other));
    const result: ProbeResult = { format: 'tenure-probe/1', tenantId, otherTenantId, probedAt, attempts };
    await deps.probeResults.save(result);
    const summary = summaryOf(result);
    await raiseAlarm(deps, result);
    return { summary, findings: findingsOf(result), suspend: deps.suspendsIntruders && summary.gotThrough > 0 };
  },

  async removeProbeUser({ tenantId, email }: { tenantId: string; email: string }): Promise<void> {
    try {
      await deps.isolationProbe.remove(await deps.directory.built(tenantId), email);
    } catch (error) {
      // Its pool is gone, and its users with it.
      if (codeOf(error) !== 'tenant/not-found') throw error;
    }
  },
});

/** Without a token the credentials are tried all the same. */
async function intrude({ isolationProbe }: IsolationProbeDeps, tenant: ServedTenant, email: string): Promise<Intruder> {
  try {
    return { tenant, token: { access: await isolationProbe.signUp(tenant, email) } };
  } catch (error) {
    return { tenant, token: { absent: `No user could be signed in: ${reasonOf(error)}` } };
  }
}

async function attempt(door: Door, tenant: ServedTenant, other: ServedTenant): Promise<ProbeAttempt> {
  Context.current().cancellationSignal.throwIfAborted();
  const { kind, what, untriable } = door;
  if (untriable !== undefined) return { kind, what, answer: 'not_tried', why: untriable };
  const home = door.opensAtHome ? await knock(door, tenant) : undefined;
  return { kind, what, ...judge(await knock(door, other), home) };
}

async function knock(door: Door, target: ServedTenant): Promise<DoorAnswer> {
  try {
    return await door.enter(target);
  } catch (error) {
    return { unclear: reasonOf(error) };
  }
}

/** For operators. */
const reasonOf = (error: unknown): string => (codeOf(error) ? publicFailure(error, 'internal/bug').message : String(error)).slice(0, 300);

async function raiseAlarm({ metrics }: IsolationProbeDeps, { tenantId, otherTenantId, attempts }: ProbeResult): Promise<void> {
  for (const { kind, what } of attempts.filter(({ answer }) => answer === 'got_through')) {
    log.error('a tenant got at another', { tenantId, otherTenantId, kind, what });
    await metrics.count(names.isolationBreaches, tenantId);
  }
}
