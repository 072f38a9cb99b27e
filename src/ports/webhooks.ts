export interface Webhook {
  readonly url: string;
  /** `whsec_…` */
  readonly secret: string;
  /** The same for all attempts: the receiver tells a repetition by it. */
  readonly id: string;
  readonly payload: object;
  readonly signal: AbortSignal;
}

/** Tells others what has happened, signed as Standard Webhooks has it. @see https://www.standardwebhooks.com */
export interface Webhooks {
  /** @returns the status of the answer, whatever it is, and its header `Retry-After`. @throws DomainError `tool/failed` when there was none. */
  deliver(webhook: Webhook): Promise<{ readonly status: number; readonly retryAfter?: string }>;
}
