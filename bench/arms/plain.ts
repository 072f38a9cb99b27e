import { randomUUID } from 'node:crypto';
import type { Arm } from './arm';
import { type BenchProcess, startScript } from './processes';

/** The same steps in one process, without anything that would survive it. */
export const startNodeArm = async (env: Readonly<Record<string, string>>): Promise<Arm> => httpArm('node', [await startScript('node-api.js', env)], () => undefined);

/** The same steps as a Temporal sample would run them: no tenancy, no store, no encryption. */
export async function startBareArm(env: Readonly<Record<string, string>>): Promise<Arm> {
  const worker = await startScript('bare-worker.js', env);
  return httpArm('bare', [await startScript('bare-api.js', env), worker], (id) => `bare-${id}`);
}

/** An arm that is asked with `POST /sessions/:id`, at the first of its processes. */
export function httpArm(name: Arm['name'], processes: readonly [BenchProcess, ...BenchProcess[]], workflowIdOf: (id: string) => string | undefined): Arm {
  return {
    name,
    pids: () => processes.map(({ pid }) => pid),
    openSession() {
      const id = randomUUID();
      return Promise.resolve({
        workflowId: workflowIdOf(id),
        async ask(text) {
          const response = await fetch(`http://127.0.0.1:${processes[0].port}/sessions/${id}`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ text }),
          });
          const { answer } = (await response.json()) as { answer?: string };
          if (!response.ok || !answer) throw new Error(`${name}: ${response.status}`);
          return answer;
        },
      });
    },
    async stop() {
      await Promise.all(processes.map((process) => process.stop()));
    },
  };
}
