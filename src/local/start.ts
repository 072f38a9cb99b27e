import { existsSync } from 'node:fs';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { localPortOf, localPorts, localSettingsFile } from '../contracts/local-settings';
import { leashGraceMs } from './leash-protocol';
import { type LocalPlatform, startPlatform } from './platform';
import { isTaken } from './ports';
import { projectRoot } from './project-root';
import { noteRunning, whoRuns } from './running-file';
import type { StackPorts } from './stack';

const stateDir = path.join(projectRoot, '.tenure/state');
const settingsFile = path.join(projectRoot, localSettingsFile);
/** Says which process runs the stack, while it does. It goes when all has ended in order: only then has the emulator written its state. */
const runningFile = path.join(stateDir, 'running');

/** Brings everything up in `.tenure/` and stays until it is told to stop. */
async function main(): Promise<void> {
  await refuseSecondStart();
  await setAsideAfterUncleanStop();
  const { api: apiPort, ...ports } = await choosePorts();
  await mkdir(stateDir, { recursive: true });
  await noteRunning(runningFile);
  const platform = await startPlatform({
    ...{ stateDir, ports, apiPort, runningFile, keepsState: true, restart: true },
    onProgress: (line) => console.log(`  ${line}`),
  }).catch(async (error: unknown) => {
    await rm(runningFile, { force: true });
    throw error;
  });
  stopOnSignal(platform);
  platform.stack.stateLost.then(() => giveUp(platform)).catch(fail);
  await writeFile(settingsFile, JSON.stringify(platform.settings, null, 2));
  await chmod(settingsFile, 0o600);
  console.log(welcome(platform));
}

async function refuseSecondStart(): Promise<void> {
  const pid = await whoRuns(runningFile);
  if (pid !== undefined) throw new Error(`Tenure runs already: process ${pid}. Stop it with Ctrl-C in its terminal, or: kill ${pid}`);
}

/** The emulator is empty after a hard kill while Temporal remembers: together they would tell two stories. */
async function setAsideAfterUncleanStop(): Promise<void> {
  if (await isGone(runningFile, leashGraceMs + 1_000)) return;
  const aside = `${stateDir}-unclean-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`;
  await rename(stateDir, aside);
  await rm(settingsFile, { force: true });
  console.log(`The last run was not stopped cleanly, and the AWS emulator lost its state. Starting over; the old state is in ${aside}`);
}

/** A last run that was killed may still be ending in order: then the file goes. */
async function isGone(file: string, withinMs: number): Promise<boolean> {
  for (const giveUpAtMs = performance.now() + withinMs; existsSync(file); ) {
    if (performance.now() > giveUpAtMs) return false;
    await delay(50);
  }
  return true;
}

async function choosePorts(): Promise<StackPorts & { api: number }> {
  const entries = await Promise.all(
    localPorts.map(async (row) => {
      const { name, variable } = row;
      const port = localPortOf(row);
      if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`${variable} must be a port, 1 to 65535; it is "${process.env[variable]}".`);
      if (await isTaken(port)) throw new Error(`Port ${port} (${name}) is taken by another program. Stop that one, or choose another port: ${variable}=${port + 10_000} npm start`);
      return [name, port] as const;
    }),
  );
  return Object.fromEntries(entries) as StackPorts & { api: number };
}

/** Ctrl-C once stops in order; the emulator writes its state. */
function stopOnSignal(platform: LocalPlatform): void {
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    console.log('\nstopping');
    const loss = await platform.stop();
    await rm(settingsFile, { force: true });
    if (loss !== undefined) {
      sayLost(loss);
      return;
    }
    await rm(runningFile, { force: true });
    console.log('stopped; the state is kept in .tenure/state');
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      stopping ??= stop().finally(() => process.exit());
    });
}

/** The running file stays, so that the next start sets the state aside. */
function sayLost(why: string): void {
  process.exitCode = 1;
  console.error(`Stopped, but the AWS emulator's state is not saved: ${why}. What was done since this start is lost, in part or in whole.
Look whether the disk has room (df -h .tenure), and into .tenure/state/logs/aws.log. What is left does not fit what Temporal remembers:
the next start moves both to .tenure/state-unclean-… and begins anew.`);
}

/** The running file stays, as above. */
async function giveUp(platform: LocalPlatform): Promise<void> {
  console.error('What the AWS emulator held is lost, and Temporal remembers it: nothing here fits together any more. Stopping; start again to begin anew.');
  await platform.stop();
  await rm(settingsFile, { force: true });
  process.exit(1);
}

const welcome = ({ settings: { apiUrl, temporalUiUrl } }: LocalPlatform): string => `
Tenure is up.

  API          ${apiUrl}
  OpenAPI      ${apiUrl}/openapi.json
  Temporal UI  ${temporalUiUrl}
               What it shows is encrypted: sign in at ${apiUrl}/codec first,
               with e-mail and password of "operator" in .tenure/local.json

Try, in another terminal:

  npx tenure tenant create acme
  npx tenure session chat acme "Store my preference: color=blue"
  npx tenure tenant offboard acme --grace 0

State is kept in .tenure/state. Ctrl-C stops everything.
`;

function fail(error: unknown): void {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

main().catch(fail);
