import type { ProbeResult } from '../contracts/isolation';
import type { ProbedKind } from '../contracts/names';
import type { ServedTenant } from '../contracts/tenant';

/** One way into a tenant, as another would try it. Harmless where it opens: it reads, or does what changes nothing. */
export interface Door {
  readonly kind: ProbedKind;
  /** What it is tried with, and what is asked. */
  readonly what: string;
  /** Why it cannot be tried here; then nothing else of it is used. */
  readonly untriable?: string;
  /** Whether the tenant itself may: then it is tried at its own first, to show that it would open. */
  readonly opensAtHome: boolean;
  /** @throws Error when it is neither: what it was like is not known. */
  enter(target: ServedTenant): Promise<'entered' | 'refused'>;
}

/** Somebody of a tenant who tries what nobody of it may. */
export interface Intruder {
  readonly tenant: ServedTenant;
  /** Of a user of the tenant's own pool; absent when nobody could be signed in, and why. */
  readonly token: { readonly access: string } | { readonly absent: string };
}

export interface IsolationProbe {
  /** Every way there is to `other`, with what `intruder` really has: the list follows the kinds of resources and the API's own description. */
  doors(intruder: Intruder, other: ServedTenant): Promise<readonly Door[]>;
  /** Makes a user with all rights in the tenant's pool. @returns an access token of it. */
  signUp(tenant: ServedTenant, email: string): Promise<string>;
  /** Fine when there is none. */
  remove(tenant: ServedTenant, email: string): Promise<void>;
}

/** The last result of each tenant, as objects of the platform's bucket. */
export interface ProbeResults {
  save(result: ProbeResult): Promise<void>;
  /** Undefined when it was never probed. */
  last(tenantId: string): Promise<ProbeResult | undefined>;
}
