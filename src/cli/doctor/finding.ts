import type { ApiClient } from '../api-client';
import type { Cli, Target } from '../cli';

/** What a check found. */
export interface Finding {
  readonly name: string;
  /** `skipped`: it could not be looked at, because something before it failed. */
  readonly state: 'ok' | 'warning' | 'failed' | 'skipped';
  readonly detail: string;
  /** How to mend it. */
  readonly fix?: string;
}

export interface Patient {
  readonly cli: Cli;
  /** Absent when there is no API to talk to. */
  readonly target: Target | undefined;
  readonly api: ApiClient | undefined;
}

export const ok = (name: string, detail: string): Finding => ({ name, state: 'ok', detail });
export const warning = (name: string, detail: string, fix: string): Finding => ({ name, state: 'warning', detail, fix });
export const failed = (name: string, detail: string, fix: string): Finding => ({ name, state: 'failed', detail, fix });
export const skipped = (name: string, detail: string): Finding => ({ name, state: 'skipped', detail });

/** Who is ill is asked briefly: longer than the platform waits for what it stands on, no longer. */
export const briefly = { withinMs: 25_000 };

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
