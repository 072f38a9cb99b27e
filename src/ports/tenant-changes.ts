/** That something in the registry has changed: who watches it need not read all of it again to know that nothing has. */
export interface TenantChanges {
  /** Call it behind each change. Never throws: who watches reads the registry now and then in any case. */
  announce(): Promise<void>;
  /** Another text after each change; undefined when it cannot be told. Never throws. */
  latest(): Promise<string | undefined>;
}
