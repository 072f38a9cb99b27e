import {
  type ApplicationAutoScalingClient,
  DeleteScalingPolicyCommand,
  paginateDescribeScalingPolicies,
  PutScalingPolicyCommand,
  RegisterScalableTargetCommand,
} from '@aws-sdk/client-application-auto-scaling';
import { metrics, tenantResources } from '../../contracts/names';
import type { TenantScalings } from '../../ports/provisioning';
import { isAwsError } from './failures';
import { allOf } from './inventory/finding';

export interface ScalingSettings {
  /** The worker fleet, as Application Auto Scaling names it: `service/{cluster}/{service}`. */
  readonly service: string;
  readonly minWorkers: number;
  readonly maxWorkers: number;
  /** Tasks that may wait on one tenant's queue before the fleet grows. */
  readonly backlog: number;
}

interface Dependencies {
  readonly applicationAutoScaling: ApplicationAutoScalingClient;
  /** Switched off when undefined. */
  readonly settings: ScalingSettings | undefined;
}

const ecs = { ServiceNamespace: 'ecs', ScalableDimension: 'ecs:service:DesiredCount' } as const;

/** Growing is urgent, shrinking is not. */
const cooldownSeconds = { out: 60, in: 300 };

/** Policies of all tenants, or of that name, on whatever fleet. */
export async function findScalingPolicies(client: ApplicationAutoScalingClient, name?: string) {
  const asked = { ServiceNamespace: ecs.ServiceNamespace, ...(name !== undefined && { PolicyNames: [name] }) };
  const found = await allOf(paginateDescribeScalingPolicies({ client }, asked), ({ ScalingPolicies }) => ScalingPolicies);
  return found.filter(({ PolicyName }) => name === undefined || PolicyName === name);
}

/**
 * One fleet serves all tenants, so it is one target with a policy for each. AWS follows whichever wants the most: the
 * backlog of any tenant makes the fleet grow, and it shrinks when no tenant's stands in the way.
 */
export function createTenantScalings({ applicationAutoScaling: client, settings }: Dependencies): TenantScalings {
  async function put(tenantId: string, { service, minWorkers, maxWorkers, backlog }: ScalingSettings): Promise<string> {
    const target = { ...ecs, ResourceId: service };
    await client.send(new RegisterScalableTargetCommand({ ...target, MinCapacity: minWorkers, MaxCapacity: maxWorkers }));
    const { PolicyARN } = await client.send(
      new PutScalingPolicyCommand({
        ...target,
        PolicyName: tenantResources(tenantId).scalingPolicy,
        PolicyType: 'TargetTrackingScaling',
        TargetTrackingScalingPolicyConfiguration: {
          TargetValue: backlog,
          CustomizedMetricSpecification: {
            Namespace: metrics.namespace,
            MetricName: metrics.backlog,
            Dimensions: [{ Name: metrics.dimension, Value: tenantId }],
            Statistic: 'Average',
          },
          ScaleOutCooldown: cooldownSeconds.out,
          ScaleInCooldown: cooldownSeconds.in,
        },
      }),
    );
    if (!PolicyARN) throw new Error('Application Auto Scaling answered without a policy.');
    return PolicyARN;
  }

  return {
    async create(tenantId) {
      if (!settings) return undefined;
      return { resourceId: settings.service, policyArn: await put(tenantId, settings) };
    },

    async delete(tenantId) {
      const PolicyName = tenantResources(tenantId).scalingPolicy;
      for (const { ResourceId } of await findScalingPolicies(client, PolicyName))
        try {
          await client.send(new DeleteScalingPolicyCommand({ ...ecs, ResourceId, PolicyName }));
        } catch (error) {
          if (!isAwsError(error, 'ObjectNotFoundException')) throw error;
        }
    },
  };
}
