/** Figures that operators watch and alarms are made of. */
export interface Metrics {
  /** Adds to a figure of the tenant, and to the same of the whole platform. */
  count(name: string, tenantId: string): Promise<void>;
}
