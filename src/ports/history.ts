/** A payload as Temporal's tools send it: all values are Base64. */
export interface JsonPayload {
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly data?: string | undefined;
}

/** Makes plain what workflow histories hold, for those who may see it. */
export interface HistoryReader {
  /** Leaves alone what is plain. @throws DomainError `payload/unreadable`, `key/unavailable`, `dependency/unavailable` */
  decode(payloads: readonly JsonPayload[]): Promise<JsonPayload[]>;
  /** For what operators send to a workflow; under the platform's key, because Temporal's tools do not say to which. @throws DomainError as above */
  encode(payloads: readonly JsonPayload[]): Promise<JsonPayload[]>;
}
