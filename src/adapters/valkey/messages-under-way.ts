import { valkeyKeys } from '../../contracts/names';
import type { SessionRef } from '../../contracts/session';
import type { TenantDirectory } from '../../ports/tenant-registry';
import type { Valkey } from './connection';

/**
 * Sealed messages between the process that stored one and the one that reads it a moment later. The table holds them all: what is lost
 * here is read there.
 */
export interface MessagesUnderWay {
  /** Call it once the table has it. Nobody waits for it. */
  give(session: SessionRef, turnId: string, sealed: Uint8Array): void;
  /** @returns undefined when it is not there, or Valkey does not answer at once. */
  take(session: SessionRef, turnId: string): Promise<Uint8Array | undefined>;
}

/** One that waits longer behind other turns is read from the table. */
const keptSeconds = 60;
/** The table answers sooner than a Valkey that hangs. */
const waitMs = 50;

export function createMessagesUnderWay({ commands }: Pick<Valkey, 'commands'>, directory: Pick<TenantDirectory, 'built'>): MessagesUnderWay {
  async function keyOf({ tenantId, sessionId }: SessionRef, turnId: string): Promise<string> {
    const { restoredAt } = await directory.built(tenantId);
    return valkeyKeys.message(tenantId, { sessionId, turnId, restoredAt });
  }

  return {
    give(session, turnId, sealed) {
      const given = keyOf(session, turnId).then((key) => commands.set(key, Buffer.from(sealed), 'EX', keptSeconds));
      given.catch(() => undefined);
    },

    async take(session, turnId) {
      const key = await keyOf(session, turnId).catch(() => undefined);
      if (key === undefined) return undefined;
      let late: NodeJS.Timeout | undefined;
      const tooLate = new Promise<undefined>((resolve) => (late = setTimeout(() => resolve(undefined), waitMs)));
      const found = await Promise.race([commands.getBuffer(key).catch(() => undefined), tooLate]);
      clearTimeout(late);
      return found ?? undefined;
    },
  };
}
