import { ErasurePlan, type ListedErasure, SignedErasure } from '../../contracts/erasure';
import { objectKeys, platformResources } from '../../contracts/names';
import type { ErasureRef, Erasures } from '../../ports/erasures';
import { erasureType } from '../erasure-signature';
import type { PlatformClients } from './clients';
import { createKeptObjects } from './kept-objects';
import { createSigner } from './signer';

const planName = 'plan.json';
const statementName = 'statement.json';

/** Plans and statements of erasures, in the platform's bucket. Statements are signed with the key of deletion certificates. */
export function createErasures(aws: Pick<PlatformClients, 's3' | 'kms' | 'sts'>): Erasures {
  const objects = createKeptObjects(aws);
  const signer = createSigner(aws.kms, platformResources.certificateKeyAlias, erasureType);
  const keyOf = ({ tenantId, operationId }: ErasureRef, part: string) => objectKeys.erasure(tenantId, operationId, part);
  const read = async (key: string): Promise<unknown> => {
    const found = await objects.read(key);
    return found && JSON.parse(found.text);
  };
  const findPlan = async (ref: ErasureRef) => ErasurePlan.optional().parse(await read(keyOf(ref, planName)));
  const find = async (ref: ErasureRef) => SignedErasure.optional().parse(await read(keyOf(ref, statementName)));

  return {
    plan: async (plan) => ErasurePlan.parse(JSON.parse((await objects.keepOnce(keyOf(plan, planName), plan)).text)),
    findPlan,
    find,

    async list(tenantId) {
      const listed: ListedErasure[] = [];
      for (const key of await objects.newest(objectKeys.erasures(tenantId), `/${planName}`)) {
        const plan = ErasurePlan.parse(await read(key));
        listed.push({ plan, issuedAt: (await find(plan))?.statement.issuedAt });
      }
      return listed;
    },

    async issue(statement) {
      const there = await find(statement);
      if (there) return there;
      const kept = await objects.keepOnce(keyOf(statement, statementName), { statement, ...(await signer.sign(statement)) });
      return SignedErasure.parse(JSON.parse(kept.text));
    },
  };
}
