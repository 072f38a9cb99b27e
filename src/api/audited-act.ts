import type { Request } from 'express';
import { codeOf, DomainError, errors } from '../contracts/errors';
import { operationIdPattern, tenantOfOperation } from '../contracts/names';
import { AnyTenantId } from '../contracts/tenant';
import { objectOf, outcomeOf } from '../domain/audit';
import { unmapped } from './address';
import type { AuditedRequest, AuditTrail, Ending } from './audit-trail';
import type { RequestContext } from './request-context';
import type { ParsedRequest } from './request-parser';
import type { Reply, Route } from './route';

/** One request, as the audit log tells of it. */
export class AuditedAct {
  private end: ((ending: Ending) => void) | undefined;
  private parsed: ParsedRequest | undefined;

  constructor(
    private readonly route: Route,
    private readonly request: Request,
    private readonly context: RequestContext,
    private readonly trail: AuditTrail,
  ) {}

  /** Call it when the request is let in, and before anything is changed. @throws DomainError `audit/unavailable` */
  async begin(parsed: ParsedRequest): Promise<void> {
    this.parsed = parsed;
    if (kindOf(this.route) === 'change') this.end = await this.trail.begin(this.told());
  }

  /** Carries the request out, and tells how it ended. */
  async recorded<Done extends { readonly reply: Reply<unknown> }>(carryOut: () => Promise<Done>): Promise<Done> {
    try {
      const done = await carryOut();
      const { status = this.route.status, headers = {} } = done.reply as { status?: number; headers?: Readonly<Record<string, string>> };
      this.note({ status, result: headers['location'] });
      return done;
    } catch (error) {
      const code = codeOf(error) ?? 'internal/bug';
      this.note({ status: errors[code].status, code, isDenial: error instanceof DomainError && error.isDenial });
      throw error;
    }
  }

  private note(ending: Ending): void {
    if (this.end) this.end(ending);
    else if (kindOf(this.route) === 'counted' || outcomeOf(ending.status, ending.isDenial) === 'denied') this.trail.count(this.told(), ending);
  }

  private told(): AuditedRequest {
    const { method, path } = this.route;
    return {
      tenantId: this.tenantId(),
      actor: this.context.actor ?? { kind: 'anonymous' },
      action: `${method.toUpperCase()} ${path}`,
      object: objectOf(path, this.request.params),
      requestId: this.context.requestId,
      address: this.request.ip && unmapped(this.request.ip),
    };
  }

  /** Whom it is about: the tenant that path, header or body name, or the operation's. */
  private tenantId(): string | undefined {
    const { access } = this.route;
    const { tenantId, operationId } = this.request.params;
    const inHeader = access === 'public' ? undefined : namedBy(access, this.request);
    const inBody = (this.parsed?.body as { tenantId?: unknown } | undefined)?.tenantId;
    const ofOperation = typeof operationId === 'string' && operationIdPattern.test(operationId) ? tenantOfOperation(operationId) : undefined;
    return AnyTenantId.safeParse(tenantId ?? inHeader ?? inBody ?? ofOperation).data;
  }
}

/** Nobody, when the request is so wrong that it names none. */
function namedBy({ tenantOf }: Exclude<Route['access'], 'public'>, request: Request): unknown {
  try {
    return tenantOf?.(request);
  } catch {
    return undefined;
  }
}

const kindOf = ({ audit, method, access }: Route): 'change' | 'counted' | 'denials' => {
  if (audit) return audit;
  if (method === 'get') return 'denials';
  return access === 'public' ? 'counted' : 'change';
};
