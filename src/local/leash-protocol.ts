import type { EmulatorRun } from './emulator-state';

/** What the leash is told, a line of JSON each. */
export type LeashMessage =
  /** A process that must not outlive the one that tells; `run` when it is an emulator whose state is kept. */
  | { readonly hold: number; readonly run?: EmulatorRun }
  | { readonly release: number }
  /** Of a parent that ends in order: there is nothing to clear up after it. */
  | 'done';

/** Time that the leash gives what it holds to end by itself. */
export const leashGraceMs = 5_000;
