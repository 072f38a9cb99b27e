import type { ProbeAttempt, ProbeResult, ProbeSummary } from '../contracts/isolation';
import type { Finding } from '../contracts/maintenance';

const dayMs = 86_400_000;

/** Who tries to get at whom. */
export interface ProbePair {
  readonly tenantId: string;
  readonly otherTenantId: string;
}

/** Counts nights. @param at - ISO time. */
export const nightOf = (at: string): number => Math.floor(Date.parse(at) / dayMs);

/**
 * Each with the one beside it. A tenant that came or went meanwhile shifts one of the rows: who would then stand beside itself tries the next.
 * @param others - at least as many.
 */
export const pairRows = (own: readonly string[], others: readonly string[]): ProbePair[] =>
  own.flatMap((tenantId, index) => {
    const otherTenantId = others[index] === tenantId ? (others[index + 1] ?? others[0]) : others[index];
    return otherTenantId === undefined || otherTenantId === tenantId ? [] : [{ tenantId, otherTenantId }];
  });

/**
 * Each tenant with one other, another one each night: after as many nights as there are others, it has tried them all.
 *
 * @param tenantIds - in any order; with fewer than two there is no pair.
 * @param at - ISO time of the night.
 */
export function pairsOf(tenantIds: readonly string[], at: string): ProbePair[] {
  const ids = tenantIds.toSorted();
  if (ids.length < 2) return [];
  const step = 1 + (nightOf(at) % (ids.length - 1));
  return ids.map((tenantId, index) => ({ tenantId, otherTenantId: ids[(index + step) % ids.length] ?? '' }));
}

/** How a way in answered. `unclear`: neither let in nor turned away, for this reason. */
export type DoorAnswer = 'entered' | 'refused' | { readonly unclear: string };

/**
 * What the answers prove. Turned away from another's, but let in at its own by the very same request: that is isolation. Turned
 * away from both proves nothing, as a token that has expired would be.
 *
 * @param home - how it went at the tenant's own; absent where not even the tenant itself may.
 */
export function judge(other: DoorAnswer, home?: DoorAnswer): Pick<ProbeAttempt, 'answer' | 'why'> {
  if (other === 'entered') return { answer: 'got_through', why: 'It was let in.' };
  if (other !== 'refused') return { answer: 'not_tried', why: other.unclear };
  if (home === undefined || home === 'entered') return { answer: 'refused' };
  return { answer: 'not_tried', why: `It proves nothing: the same is not allowed at its own tenant either${home === 'refused' ? '' : ` (${home.unclear})`}.` };
}

export const summaryOf = ({ tenantId, otherTenantId, attempts }: ProbeResult): ProbeSummary => ({
  tenantId,
  otherTenantId,
  refused: count(attempts, 'refused'),
  gotThrough: count(attempts, 'got_through'),
  notTried: count(attempts, 'not_tried'),
});

const count = (attempts: readonly ProbeAttempt[], answer: ProbeAttempt['answer']): number => attempts.filter((attempt) => attempt.answer === answer).length;

/** What got through, each a finding; and one for a probe of which nothing was refused, since it shows nothing. */
export function findingsOf({ tenantId, otherTenantId, attempts }: ProbeResult): Finding[] {
  const breaches = attempts
    .filter(({ answer }) => answer === 'got_through')
    .map(({ kind, what }): Finding => ({ kind: 'isolation/breached', tenantId, subject: `${kind} of ${otherTenantId}`, message: `${what} got through. Close it before anything else.`, repair: 'none' }));
  if (breaches.length > 0 || attempts.some(({ answer }) => answer === 'refused')) return breaches;
  return [{ kind: 'isolation/untested', tenantId, subject: otherTenantId, message: 'No attempt was refused, and none got through: nothing was tested.', repair: 'none' }];
}

/** For the Temporal UI, beneath the findings. */
export function probesToMarkdown(probes: readonly ProbeSummary[]): string {
  if (probes.length === 0) return '';
  const sum = (of: 'refused' | 'gotThrough' | 'notTried') => probes.reduce((total, probe) => total + probe[of], 0);
  return `\n\n**${probes.length}** tenants tried to get at another: ${sum('refused')} attempts refused, **${sum('gotThrough')} got through**, ${sum('notTried')} could not be tried.`;
}
