import type { AuthorizerConfiguration } from '@aws-sdk/client-bedrock-agentcore-control';
import { DomainError } from '../../contracts/errors';
import { tenantTag } from '../../contracts/names';
import type { TenantInfrastructure } from '../../contracts/tenant';
import type { Waiting } from '../../ports/provisioning';
import { discoveryUrlOf } from './token-issuers';
import { until } from './waiting';

/** What all parts of AgentCore have in common: how they become ready, how they go, whom they let in. */

interface Described {
  readonly status?: string | undefined;
  readonly failureReason?: string | undefined;
  readonly statusReasons?: readonly string[] | undefined;
}

/**
 * Waits until AgentCore says that something is ready.
 *
 * @param describe - undefined while it is not to be seen yet.
 * @throws DomainError `infrastructure/failed` with AgentCore's reason.
 */
export const untilReady = <T extends Described>(waiting: Waiting, name: string, describe: () => Promise<T | undefined>): Promise<T> =>
  until(waiting, async () => {
    const found = await describe();
    const status = found?.status ?? 'CREATING';
    if (found && (status === 'READY' || status === 'ACTIVE')) return { done: found };
    if (found && /FAILED|UNSUCCESSFUL/.test(status)) throw new DomainError('infrastructure/failed', `${name} is ${status}: ${reasonOf(found)}`);
    return { pending: `${name} ${status}` };
  });

const reasonOf = ({ failureReason, statusReasons }: Described): string => failureReason ?? statusReasons?.join('; ') ?? 'no reason given';

/** Waits until AgentCore does not know it any more. @throws DomainError `infrastructure/failed` when it cannot be deleted. */
export const untilGone = (waiting: Waiting, name: string, describe: () => Promise<Described | undefined>): Promise<void> =>
  until(waiting, async () => {
    const found = await describe();
    if (!found) return { done: undefined };
    if (found.status === 'DELETE_FAILED') throw new DomainError('infrastructure/failed', `${name} cannot be deleted: ${reasonOf(found)}`);
    return { pending: `${name} ${found.status ?? 'DELETING'}` };
  });

/** Tokens of the tenant's own pool, made for its own client. */
export const tokensOfTenant = (region: string, { userPoolId, userPoolClientId, retiringUserPoolClientId }: TenantInfrastructure) => ({
  customJWTAuthorizer: { discoveryUrl: discoveryUrlOf(region, userPoolId), allowedClients: [userPoolClientId, ...(retiringUserPoolClientId === undefined ? [] : [retiringUserPoolClientId])] },
});

/** Whether an authorizer lets in the same clients' tokens as another; in which order they are named is all one. */
export const letsInAs = (one: AuthorizerConfiguration | undefined, other: AuthorizerConfiguration): boolean => clientsOf(one) === clientsOf(other);

const clientsOf = (authorizer: AuthorizerConfiguration | undefined) => [...(authorizer?.customJWTAuthorizer?.allowedClients ?? [])].sort().join();

/** A token may hold letters, digits and hyphens only, and 33 of them at least. */
export const clientTokenOf = (operationId: string): string => operationId.replaceAll('_', '-');

export const tagsOf = (tenantId: string) => ({ [tenantTag]: tenantId });
