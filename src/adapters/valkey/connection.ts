import { Redis } from 'iovalkey';
import { DomainError } from '../../contracts/errors';
import type { Logger } from '../../logging';
import type { Dependency } from '../../ports/readiness';

const commandTimeoutMs = 1_000;
const longestReconnectPauseMs = 1_000;

export interface Valkey {
  readonly commands: Redis;
  /** A connection that only listens; made when first asked for. */
  subscriber(): Redis;
  readonly dependency: Dependency;
  close(): Promise<void>;
}

/** Connections that fail at once while Valkey is away, and come back by themselves. */
export function createValkey(url: string, logger: Logger): Valkey {
  const connect = (role: string, isSubscriber: boolean): Redis => {
    const client = new Redis(url, {
      lazyConnect: true,
      enableOfflineQueue: isSubscriber,
      maxRetriesPerRequest: isSubscriber ? null : 0,
      ...(!isSubscriber && { commandTimeout: commandTimeoutMs }),
      connectTimeout: commandTimeoutMs,
      autoResubscribe: true,
      retryStrategy: (attempt) => Math.min(50 * attempt, longestReconnectPauseMs),
    });
    let isAway = false;
    // Without a listener an error would end the process. Said once, not at every attempt.
    client.on('error', (error: unknown) => {
      if (!isAway) logger.warn({ err: error, role }, 'Valkey does not answer');
      isAway = true;
    });
    client.on('ready', () => {
      if (isAway) logger.info({ role }, 'Valkey answers again');
      isAway = false;
    });
    client.connect().catch(() => undefined);
    return client;
  };

  const commands = connect('commands', false);
  let listening: Redis | undefined;
  return {
    commands,
    subscriber: () => (listening ??= connect('subscriber', true)),
    dependency: {
      name: 'valkey',
      check: async () => {
        await calling(() => commands.ping());
      },
    },
    close() {
      commands.disconnect();
      listening?.disconnect();
      return Promise.resolve();
    },
  };
}

/** @throws DomainError `dependency/unavailable` whatever is wrong. */
export async function calling<T>(command: () => Promise<T>): Promise<T> {
  try {
    return await command();
  } catch (error) {
    throw new DomainError('dependency/unavailable', 'Valkey does not answer. Try again.', { cause: error, retryAfterSeconds: 1 });
  }
}
