export interface HttpCall {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
  /** Longer answers are cut. One of which nothing is read (0) may be packed. */
  readonly maxResponseBytes: number;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly isCut: boolean;
  /** The header `www-authenticate`: what the server wants to be shown. */
  readonly challenge?: string;
  /** The header `retry-after`: how long the server asks to be left alone. */
  readonly retryAfter?: string;
}

/** Calls out to the web on behalf of a tool. Redirects are answers, not followed: they could lead anywhere. */
export interface HttpCaller {
  /**
   * @throws DomainError `tool/egress-refused` when the address is none a tool may call, `tool/unreachable` when nobody is there: nothing was sent
   * then; `tool/failed` when there was no answer that can be read (broken, too slow, packed): what was asked for may have been done.
   */
  call(request: HttpCall): Promise<HttpAnswer>;
}
