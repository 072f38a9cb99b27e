import { type AuditActor, type AuditEntry, type AuditEvent, type AuditOutcome } from '../contracts/audit';
import type { Finding } from '../contracts/maintenance';
import type { OperationState } from '../contracts/names';

/** How long entries are kept: thirteen months, so that a yearly audit sees the whole of its year. */
export const auditRetentionDays = 400;

/** What comes of a request, by the status of its answer. @param isDenial - that a 404 hides what is another's. */
export function outcomeOf(status: number, isDenial = false): AuditOutcome {
  if (isDenial || status === 401 || status === 403 || status === 429) return 'denied';
  if (status >= 500) return 'failed';
  return status >= 400 ? 'refused' : 'done';
}

/** What is asked of a log, newest first. */
export interface AuditFilter {
  /** ISO; that time included. */
  readonly since?: string | undefined;
  /** ISO; that time not included. */
  readonly until?: string | undefined;
  readonly actor?: string | undefined;
  /** A part of the action, as of the object. */
  readonly action?: string | undefined;
  readonly object?: string | undefined;
  readonly outcome?: AuditOutcome | undefined;
}

export const matches = ({ since, until, actor, action, object, outcome }: AuditFilter, entry: AuditEntry): boolean =>
  (since === undefined || entry.at >= since) &&
  (until === undefined || entry.at < until) &&
  (actor === undefined || entry.actor.id === actor) &&
  (action === undefined || entry.action.includes(action)) &&
  (object === undefined || entry.object.includes(object)) &&
  (outcome === undefined || entry.outcome === outcome);

/** A value in the path of a request may be anything: only what looks like an id is written down. */
const idPattern = /^[\w.:@-]{1,128}$/;

/**
 * What a request is about: its path without `/api/v1/`, with its ids.
 * @param path - with parameters in braces.
 */
export const objectOf = (path: string, params: Readonly<Record<string, unknown>>): string =>
  path.replace(/^\/(api\/v1\/)?/, '').replaceAll(/\{(\w+)\}/g, (_whole, name: string) => {
    const value = params[name];
    return typeof value === 'string' && idPattern.test(value) ? value : '?';
  });

const workflow = (id: string): AuditActor => ({ kind: 'workflow', id });

/** That an operation has ended. */
export const operationEnded = ({ operationId, kind, state, error, at, workflowId }: EndedOperation): AuditEvent => ({
  at,
  actor: workflow(workflowId),
  action: `operation/${kind}`,
  object: `operations/${operationId}`,
  outcome: state === 'completed' || state === 'cancelled' ? state : 'undone',
  ...(error && { code: error.code }),
});

export interface EndedOperation {
  readonly operationId: string;
  readonly kind: string;
  readonly state: OperationState;
  readonly error?: { readonly code: string } | undefined;
  readonly at: string;
  readonly workflowId: string;
}

/** What a run of the maintenance changed, by tenant: what it only found is in its report. */
export function repairsIn(findings: readonly Finding[], { job, at, workflowId }: { job: string; at: string; workflowId: string }): Map<string | undefined, AuditEvent[]> {
  const byTenant = new Map<string | undefined, AuditEvent[]>();
  for (const { kind, tenantId, subject, repair } of findings) {
    if (repair !== 'done' && repair !== 'failed') continue;
    const event: AuditEvent = { at, actor: workflow(workflowId), action: `maintenance/${job}`, object: `${kind} ${subject}`.slice(0, 300), outcome: repair };
    byTenant.set(tenantId, [...(byTenant.get(tenantId) ?? []), event]);
  }
  return byTenant;
}

/** That a job of a tenant deleted or closed these. */
export const jobChanged = (job: string, objects: readonly string[], { at, workflowId }: { at: string; workflowId: string }): AuditEvent[] =>
  objects.map((object) => ({ at, actor: workflow(workflowId), action: `maintenance/${job}`, object, outcome: 'done' }));

/** Kinds of requests that are counted apart before the rest of a window is lumped together: what a flood can cost is bounded by it. */
const mostKinds = 100;
const mostLumps = 20;

/** A request that is recorded after its answer. */
export interface CountedRequest extends AuditEvent {
  /** The tenant it names: a stranger may name any. */
  readonly tenantId: string | undefined;
}

interface Counted {
  readonly request: CountedRequest;
  readonly count: number;
  readonly since: string;
}

/**
 * Counts requests that differ in nothing but their time and id, between two takings. However many come, and whatever they say, what it holds is
 * bounded: behind the first {@link mostKinds} kinds, only what was asked of which tenant and why it was denied is told apart, and behind that, nothing.
 */
export class AuditTally {
  private counted = new Map<string, Counted>();

  add({ count = 1, since: began, ...request }: CountedRequest): void {
    for (const [candidate, most] of [
      [request, mostKinds],
      [lumped(request), mostKinds + mostLumps],
      [lumped({ ...request, tenantId: undefined, code: undefined }), Infinity],
    ] as const) {
      const key = keyOf(candidate);
      const before = this.counted.get(key);
      if (!before && this.counted.size >= most) continue;
      const since = began ?? request.at;
      this.counted.set(key, { request: candidate, count: (before?.count ?? 0) + count, since: before && before.since < since ? before.since : since });
      return;
    }
  }

  /** What was counted since the last taking, and forgets it. */
  take(): { tenantId: string | undefined; event: AuditEvent }[] {
    const taken = [...this.counted.values()];
    this.counted = new Map();
    return taken.map(({ request: { tenantId, ...event }, count, since }) => ({ tenantId, event: count > 1 ? { ...event, count, since } : event }));
  }

  get size(): number {
    return this.counted.size;
  }
}

const lumped = ({ tenantId, at, outcome, status, code }: CountedRequest): CountedRequest => ({
  tenantId,
  at,
  actor: { kind: 'anonymous' },
  action: '*',
  object: '*',
  outcome,
  ...(status !== undefined && { status }),
  ...(code !== undefined && { code }),
});

const keyOf = ({ tenantId, actor, action, object, outcome, status, code, address }: CountedRequest): string =>
  JSON.stringify([tenantId, actor.kind, actor.id, action, object, outcome, status, code, address]);
