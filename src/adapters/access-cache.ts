import { LRUCache } from 'lru-cache';
import type { MachineClient, StoredApiKey } from '../contracts/access';
import { machineClientOf } from '../domain/admission';
import type { AccessReader, AccessStore, Standings } from '../ports/access';

const mostKept = 50_000;

/**
 * The store as requests ask it: one read for each user and `cacheMs`, however many requests. The age of an answer counts from before it
 * was asked for, so that a revocation holds everywhere `cacheMs` after it was written. A failed read is an error, and no answer.
 */
export function createAccessCache({ store, cacheMs }: { store: AccessStore; cacheMs: number }): AccessReader {
  // Read through promises: whoever asks while one is under way shares it, and its age.
  const standings = ofAge<Standings>(cacheMs);
  const keys = ofAge<StoredApiKey | undefined>(cacheMs);
  // By credential, not by tenant: one that was made a moment ago is good at once.
  const machineClients = ofAge<MachineClient | undefined>(cacheMs);
  return {
    standings: (owner, userId) => standings(`${owner}/${userId ?? ''}`, () => store.standings(owner, userId)),
    key: (owner, keyId) => keys(`${owner}/${keyId}`, () => store.key(owner, keyId)),
    machineClient: (owner, oauthClientId) => machineClients(`${owner}/${oauthClientId}`, async () => machineClientOf(await store.machineClients(owner), oauthClientId)),
  };
}

function ofAge<T>(cacheMs: number): (key: string, read: () => Promise<T>) => Promise<T> {
  const answers = new LRUCache<string, { readonly askedAtMs: number; readonly answer: Promise<T> }>({ max: mostKept });
  return (key, read) => {
    const known = answers.get(key);
    if (known && performance.now() - known.askedAtMs < cacheMs) return known.answer;
    const entry = { askedAtMs: performance.now(), answer: read() };
    answers.set(key, entry);
    entry.answer.catch(() => answers.peek(key) === entry && answers.delete(key));
    return entry.answer;
  };
}
