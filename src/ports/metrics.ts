/** What was measured of one tenant. */
export interface Reading {
  /** Of `metrics` in contracts/names. */
  readonly name: string;
  readonly tenantId: string;
  readonly unit: 'Count' | 'Milliseconds' | 'Seconds';
  readonly at: Date;
  /** Different values, at most 150, and how often each was measured. */
  readonly values: readonly (readonly [value: number, times: number])[];
}

/** Figures that operators watch and alarms are made of. */
export interface Metrics {
  /** Adds to a figure of the tenant, and to the same of the whole platform. */
  count(name: string, tenantId: string): Promise<void>;
  /**
   * Publishes the first of these, as many as fit one call.
   *
   * @param readings - at least one.
   * @returns how many it took: call again with the rest.
   * @throws DomainError `dependency/unavailable`, `dependency/denied`; then none was published, as far as is known.
   */
  publish(readings: readonly Reading[], signal?: AbortSignal): Promise<number>;
}
