import { GetKeyRotationStatusCommand, type KMSClient, paginateListKeyRotations, RotateKeyOnDemandCommand } from '@aws-sdk/client-kms';
import { codeOf, DomainError } from '../../contracts/errors';
import type { KeyRotation } from '../../ports/provisioning';
import { isAwsError } from './failures';
import { until } from './waiting';

/** KMS takes minutes. */
const pollMs = 1_000;

interface Dependencies {
  readonly kms: KMSClient;
  /** `data-keys`: the key service has no rotation on demand, as emulators. */
  readonly mode: 'on-demand' | 'data-keys';
}

/** Rotation on demand: the ARN stays, KMS keeps the earlier material for what it encrypted. */
export function createKeyRotation({ kms, mode }: Dependencies): KeyRotation {
  async function rotationsOf(KeyId: string): Promise<number> {
    let count = 0;
    for await (const { Rotations } of paginateListKeyRotations({ client: kms }, { KeyId }))
      count += Rotations?.filter(({ RotationType }) => RotationType === 'ON_DEMAND').length ?? 0;
    return count;
  }

  async function begin(KeyId: string): Promise<void> {
    try {
      await kms.send(new RotateKeyOnDemandCommand({ KeyId }));
    } catch (error) {
      // A rotation is under way: ours, whose answer was lost, or one whose end is as good.
      if (isAwsError(error, 'ConflictException')) return;
      // How often a key may be rotated is a limit of the key, which no quota of the account raises.
      const refusal = codeOf(error) === 'infrastructure/quota-exceeded' ? (error as Error).cause : error;
      if (!isAwsError(refusal, 'LimitExceededException', 'UnsupportedOperationException', 'DisabledException', 'KMSInvalidStateException')) throw error;
      throw new DomainError('key/not-rotated', `KMS does not rotate ${KeyId}: ${refusal.name}. ${refusal.message}`, { cause: refusal });
    }
  }

  return {
    count: async (keyArn) => (mode === 'on-demand' ? rotationsOf(keyArn) : undefined),

    async rotate(KeyId, before, waiting) {
      let isBegun = false;
      await until(
        waiting,
        async () => {
          if ((await rotationsOf(KeyId)) > before) return { done: undefined };
          const { OnDemandRotationStartDate } = await kms.send(new GetKeyRotationStatusCommand({ KeyId }));
          if (!OnDemandRotationStartDate && !isBegun) {
            await begin(KeyId);
            isBegun = true;
          }
          return { pending: `${KeyId} is being rotated` };
        },
        pollMs,
      );
    },
  };
}
