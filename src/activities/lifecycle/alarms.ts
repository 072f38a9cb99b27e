import { log } from '@temporalio/activity';
import { metrics, type OperationKind } from '../../contracts/names';
import type { StepState } from '../../contracts/operation';
import type { Metrics } from '../../ports/metrics';

export interface RestingStep {
  readonly tenantId: string;
  readonly operationId: string;
  readonly kind: OperationKind;
  readonly step: string;
  /** `stuck` or `undo_failed`. */
  readonly state: StepState;
  readonly attempt: number;
  readonly error: string;
}

/** What calls a person. */
export const createAlarmActivities = ({ metrics: figures }: { readonly metrics: Metrics }) => ({
  /** Tells the log and CloudWatch that a step of an operation rests until somebody helps. */
  async reportStuck(resting: RestingStep): Promise<void> {
    log.error('an operation is stuck', { ...resting });
    await figures.count(metrics.stuckOperations, resting.tenantId);
  },
});
