import { DomainError } from '../../contracts/errors';
import type { TenantCipher } from '../../ports/cipher';
import type { KeyRotation, StackClients, TenantGateways, TenantRuntimes, TenantStacks } from '../../ports/provisioning';
import type { TenantRegistry } from '../../ports/tenant-registry';
import { waiting } from './waiting';

export interface RotationDeps {
  readonly registry: TenantRegistry;
  readonly stacks: TenantStacks;
  readonly cipher: TenantCipher;
  readonly keyRotation: KeyRotation;
  readonly runtimes: TenantRuntimes;
  /** Undefined: the AWS that is used has none. */
  readonly gateways: TenantGateways | undefined;
  /** Age at which every process has read the registry anew. */
  readonly tenantCacheMs: number;
}

interface OfTenant {
  readonly tenantId: string;
}

/** What is sealed to see that it opens: there is nothing secret about it. */
const probe = 'tenure';
const probeContext = { purpose: 'key rotation' };

/** The tenant's key gets new material, and its users another client. */
export const createRotationActivities = (deps: RotationDeps) => ({
  ...createKeyActivities(deps),
  ...createClientActivities(deps),
});

const createKeyActivities = ({ registry, cipher, keyRotation, tenantCacheMs }: RotationDeps) => {
  const keyArnOf = async (tenantId: string) => (await mustStand(registry, tenantId)).keyArn;
  return {
    /** The state before the rotation: how often the key was rotated (undefined where KMS cannot), and something it encrypted, in base64. */
    async beforeRotation({ tenantId }: OfTenant): Promise<{ rotations?: number; sealed: string }> {
      const rotations = await keyRotation.count(await keyArnOf(tenantId));
      const sealed = await cipher.seal(tenantId, probeContext, Buffer.from(probe));
      return { ...(rotations !== undefined && { rotations }), sealed: Buffer.from(sealed).toString('base64') };
    },

    /** @throws DomainError `key/not-rotated` */
    async rotateKey({ tenantId, rotations }: OfTenant & { rotations: number }): Promise<void> {
      await keyRotation.rotate(await keyArnOf(tenantId), rotations, waiting());
    },

    /** From now on nothing new is encrypted with data keys made before. @returns how long to wait until every process has heard of it. */
    async renewDataKeys({ tenantId, operationId }: OfTenant & { operationId: string }): Promise<{ heardAfterMs: number }> {
      await registry.update(tenantId, { keyGeneration: operationId });
      return { heardAfterMs: tenantCacheMs };
    },

    /** @throws Error when what was sealed before, or is sealed now, does not open. */
    async checkKey({ tenantId, sealed }: OfTenant & { sealed: string }): Promise<void> {
      const fresh = await cipher.seal(tenantId, probeContext, Buffer.from(probe));
      for (const bytes of [Buffer.from(sealed, 'base64'), fresh])
        if (Buffer.from(await cipher.open(tenantId, probeContext, bytes)).toString() !== probe) throw new Error('What the key encrypted comes back as something else.');
    },
  };
};

const createClientActivities = ({ registry, stacks, runtimes, gateways, tenantCacheMs }: RotationDeps) => ({
  /** @throws DomainError `infrastructure/failed` when an earlier rotation was broken off between its clients. */
  async clientsBefore({ tenantId }: OfTenant): Promise<{ before: 'first' | 'second'; tenantCacheMs: number }> {
    const before = await stacks.clients(tenantId);
    if (before === 'first' || before === 'second') return { before, tenantCacheMs };
    throw new DomainError('infrastructure/failed', `The stack of ${tenantId} has two clients (${before}): an earlier rotation was broken off. Set its parameter UserPoolClients to first or second.`);
  },

  /** Gives the stack these clients, and notes in the registry which are accepted. */
  async setClients({ tenantId, clients }: OfTenant & { clients: StackClients }): Promise<void> {
    await registry.update(tenantId, { infrastructure: await stacks.setClients(tenantId, clients, waiting()) });
  },

  /**
   * Has the tenant's AgentCore runtime and gateway accept tokens of the clients the registry knows, and of no others.
   *
   * @param only - `retiring`: of the one alone that was there before the rotation.
   * @returns false when the tenant has neither.
   * @throws DomainError `infrastructure/failed` with AgentCore's reason (not retried).
   */
  async acceptClients({ tenantId, only }: OfTenant & { only?: 'retiring' }): Promise<boolean> {
    const known = await mustStand(registry, tenantId);
    const { retiringUserPoolClientId = known.userPoolClientId, ...rest } = known;
    const infrastructure = only === 'retiring' ? { ...rest, userPoolClientId: retiringUserPoolClientId } : known;
    const hasRuntime = await runtimes.accept({ tenantId, infrastructure }, waiting());
    const hasGateway = await gateways?.accept({ tenantId, infrastructure }, waiting());
    return hasRuntime || hasGateway === true;
  },

  /** Only the current client is accepted from now on. */
  async retireClient({ tenantId }: OfTenant): Promise<void> {
    const infrastructure = { ...(await mustStand(registry, tenantId)) };
    delete infrastructure.retiringUserPoolClientId;
    await registry.update(tenantId, { infrastructure });
  },
});

async function mustStand(registry: TenantRegistry, tenantId: string) {
  const infrastructure = (await registry.get(tenantId))?.infrastructure;
  if (!infrastructure) throw new DomainError('tenant/not-found', `There is no tenant "${tenantId}" that stands.`);
  return infrastructure;
}
