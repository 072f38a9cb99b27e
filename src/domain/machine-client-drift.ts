import type { MachineClient, PoolOfClients } from '../contracts/access';
import type { Finding } from '../contracts/maintenance';
import { machineAccess } from '../contracts/names';
import { delegable } from './admission';
import { describeResource } from './inventory';

/** A tenant's machine clients: as they are registered, and as its pool has them. */
export interface MachineClientSight {
  readonly registered: readonly MachineClient[];
  readonly pool: PoolOfClients;
  readonly seenAtMs: number;
}

/** What mends it without losing anything. */
export type ClientRemedy = 'delete_app_clients' | 'offer_scopes';
interface ClientDrift {
  readonly finding: Omit<Finding, 'repair' | 'tenantId'>;
  readonly remedy?: ClientRemedy;
}

/** Who registers a client makes it in the pool first: one that is so young may be registered in a moment. */
const registeredWithinMs = 15 * 60_000;

/** How the pool's machine clients differ from those registered. @param signIn - OAuth ids of app clients with which people sign in. */
export function machineClientDrift(tenantId: string, sight: MachineClientSight, signIn: readonly string[]): ClientDrift[] {
  return [...missing(sight), ...strangers(tenantId, sight, signIn), ...(alive(sight).length > 0 ? poolDrift(sight.pool) : [])];
}

/** App clients by the platform's name whose tokens are refused for good: a secret that was replaced, a client that was revoked. */
export function abandoned(tenantId: string, { registered, pool, seenAtMs }: MachineClientSight): PoolOfClients['appClients'] {
  const known = new Set(registered.flatMap(({ revokedAt, credentials }) => (revokedAt === undefined ? credentials.map(({ oauthClientId }) => oauthClientId) : [])));
  return pool.appClients.filter(({ oauthClientId, name }) => {
    const made = machineAccess.readAppClient(tenantId, name);
    return made !== undefined && !known.has(oauthClientId) && seenAtMs - made.madeAtMs > registeredWithinMs;
  });
}

const alive = ({ registered }: MachineClientSight): readonly MachineClient[] => registered.filter(({ revokedAt }) => revokedAt === undefined);

const describe = (name: string): string => describeResource({ service: 'cognito', type: 'user-pool-client', name });

function missing(sight: MachineClientSight): ClientDrift[] {
  const inPool = new Set(sight.pool.appClients.map(({ oauthClientId }) => oauthClientId));
  const isWanted = ({ until }: MachineClient['credentials'][number]) => until === undefined || Date.parse(until) > sight.seenAtMs;
  return alive(sight).flatMap(({ clientId, name, credentials }) =>
    credentials
      .filter((credential) => isWanted(credential) && !inPool.has(credential.oauthClientId))
      .map(({ oauthClientId }) => ({ finding: { kind: 'resource/missing', subject: describe(oauthClientId), message: `The machine client ${clientId} (${name}) gets no token with it. Rotate its secret.` } })),
  );
}

function strangers(tenantId: string, sight: MachineClientSight, signIn: readonly string[]): ClientDrift[] {
  const foreign = sight.pool.appClients.filter(({ oauthClientId, name }) => !signIn.includes(oauthClientId) && !machineAccess.readAppClient(tenantId, name));
  return [
    ...abandoned(tenantId, sight).map(({ name }): ClientDrift => ({ finding: { kind: 'resource/unrecorded', subject: describe(name), message: 'No machine client is registered with it: its tokens are refused.' }, remedy: 'delete_app_clients' })),
    ...foreign.map(({ name }) => ({ finding: { kind: 'resource/unrecorded', subject: describe(name), message: 'It is none of the platform’s: its tokens are refused. Find out who made it, and delete it.' } })),
  ];
}

function poolDrift({ scopes, hasDomain }: PoolOfClients): ClientDrift[] {
  const [absent, beyond] = [delegable.filter((scope) => !scopes.includes(scope)), scopes.filter((scope) => !(delegable as readonly string[]).includes(scope))];
  const subject = describeResource({ service: 'cognito', type: 'resource-server', name: machineAccess.resourceServer });
  const differs = [...absent.map((scope) => `${scope} is absent`), ...beyond.map((scope) => `${scope} is no permission that can be given`)].join(', ');
  return [
    ...(differs === '' ? [] : [{ finding: { kind: 'resource/differs', subject, message: `Its scopes are others: ${differs}.` }, remedy: 'offer_scopes' as const }]),
    ...(hasDomain ? [] : [{ finding: { kind: 'resource/missing', subject: 'cognito:domain', message: 'No machine client gets a token. Rotate the secret of each: the answers say where tokens are from then on.' } }]),
  ];
}
