import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

const host = '127.0.0.1';

/** Below those that systems give to connections, and to whoever asks for any: nobody gets one of these between the search for it and its use. */
const [lowest, highest] = [10_000, 32_767];

/** Ports nobody listens on just now. */
export async function freePorts<Name extends string>(names: readonly Name[]): Promise<Record<Name, number>> {
  // All are held until all are known: else the same one could be given twice.
  const held = await Promise.all(names.map(async (name) => ({ name, ...(await anyPort()) })));
  await Promise.all(held.map(({ server }) => once(server.close(), 'close')));
  return Object.fromEntries(held.map(({ name, port }) => [name, port])) as Record<Name, number>;
}

async function anyPort(): Promise<{ readonly port: number; readonly server: Server }> {
  for (;;) {
    const port = randomInt(lowest, highest + 1);
    const server = await listening(port);
    if (server) return { port, server };
  }
}

/** @returns nothing when somebody else listens there. */
async function listening(port: number): Promise<Server | undefined> {
  const server = createServer().listen(port, host);
  try {
    await once(server, 'listening');
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return undefined;
  }
}

/** Whether somebody else listens there. */
export async function isTaken(port: number): Promise<boolean> {
  const server = await listening(port);
  if (server) await once(server.close(), 'close');
  return server === undefined;
}
