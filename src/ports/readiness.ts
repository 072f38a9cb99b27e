/** Something the process needs. */
export interface Dependency {
  readonly name: string;
  /** Resolves when it answers; rejects with the reason. */
  check(): Promise<void>;
}
