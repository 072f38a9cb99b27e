import { randomUUID } from 'node:crypto';
import { OrdersServer } from '../../src/local/demo/orders-server';
import type { User } from '../../src/local/demo/user';
import type { WatchedServer } from '../watched-server';
import { startPoisonServer } from './poison-server';
import { type RunningPlatform, runPlatform } from '../running-platform';

/** A running platform with a tenant, a user of it, and two servers that its agent may call. */
export interface Stage {
  readonly platform: RunningPlatform;
  readonly user: User;
  readonly shop: OrdersServer;
  readonly poison: WatchedServer;
}

/** @param options - `tier` of the tenant: floods ask more than `standard` takes; `origins` that its agent may call besides. */
export async function startStage({ tier = 'standard', origins = [] }: { tier?: string; origins?: readonly string[] } = {}): Promise<Stage & { stop(): Promise<void> }> {
  const [shop, poison] = await Promise.all([OrdersServer.start(), startPoisonServer()]);
  void shop.withholdNext(0);
  const platform = await runPlatform({ clocksMove: true });
  const stop = async () => {
    shop.stop();
    poison.stop();
    await platform.stop();
  };
  try {
    const { state } = await platform.onboard('acme', { allowedOrigins: [shop.origin, poison.origin, ...origins], idempotentOrigins: [shop.origin] }, tier);
    if (state !== 'completed') throw new Error(`The onboarding came to ${state}`);
    return { platform, user: await platform.user('acme'), shop, poison, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Words that no other conversation has: scripts of the model are found by them. */
export const newName = (): string => `story ${randomUUID().slice(0, 8)}`;
