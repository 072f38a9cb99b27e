import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { version as temporalVersion } from '@temporalio/client/package.json';
import type { Arm } from './arms/arm';

/** What a report was measured on. */
export type Machine = Readonly<Record<string, string | number>>;

export const describeMachine = (arms: readonly Arm[] = []): Machine => ({
  date: new Date().toISOString(),
  cpu: os.cpus()[0]?.model ?? 'unknown',
  cores: os.cpus().length,
  memoryGiB: Math.round(os.totalmem() / 2 ** 30),
  node: process.version,
  temporalSdk: temporalVersion,
  ...Object.fromEntries(arms.flatMap(({ versions = {} }) => Object.entries(versions))),
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
});

export const describe = (machine: Machine): string => `Machine: ${Object.entries(machine).map(([key, value]) => `${key} ${value}`).join(' · ')}`;
