import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** What each client asks again and again, and how the model behind it speaks. */
export interface Workload {
  readonly name: 'w0' | 'w1' | 'w2';
  readonly title: string;
  readonly prompt: string;
  readonly pace: { readonly firstTokenMs: number; readonly msPerToken: number };
  /** Unless the command line says otherwise. */
  readonly clients: readonly number[];
}

/** The address whose answer takes as long as a tool's, and is as long as the model's: the model reads it out. */
export interface SlowTool {
  readonly origin: string;
  readonly url: string;
  stop(): void;
}

const toolMs = 20;
const words = 200;

export async function startSlowTool(): Promise<SlowTool> {
  const text = Array.from({ length: words }, (_, index) => `w${index}`).join(' ');
  const server = createServer((_, response) => void delay(toolMs).then(() => response.end(text)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    url: `${origin}/slow`,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

export const workloads = (slow: SlowTool): readonly Workload[] => [
  { name: 'w0', title: 'one tool, a model that answers at once', prompt: 'bench: what is 17*23?', pace: { firstTokenMs: 0, msPerToken: 0 }, clients: [1, 8, 32] },
  {
    name: 'w1',
    title: `first word after 50 ms, ${words} words at 5 ms, one tool of ${toolMs} ms`,
    prompt: `bench: fetch ${slow.url}`,
    pace: { firstTokenMs: 50, msPerToken: 5 },
    clients: [1, 8],
  },
  { name: 'w2', title: 'two tools at once, a model that answers at once', prompt: 'bench: what is the time, and what is 17*23?', pace: { firstTokenMs: 0, msPerToken: 0 }, clients: [1, 8] },
];
