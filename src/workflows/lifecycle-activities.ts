import { type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import type { HandshakeActivities } from '../activities/handshake';
import type { LifecycleActivities } from '../activities/lifecycle';
import { taskQueues } from '../contracts/names';

/** Every activity beats each second: five missed beats mean that its worker died, and another takes over. */
const heartbeatTimeout = '5 seconds';

/**
 * One attempt each: the operation itself tries again, and shows every failure on the way. Undoing must not race with the
 * step it undoes: a cancelled step is waited for.
 */
const base: ActivityOptions = {
  heartbeatTimeout,
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { maximumAttempts: 1 },
};

/** A few calls. */
const quick: ActivityOptions = { ...base, startToCloseTimeout: '1 minute' };
/** CloudFormation takes minutes, sometimes many; the wait outlives the worker that began it. */
const build: ActivityOptions = { ...base, startToCloseTimeout: '30 minutes' };
/** As much data as a tenant has. */
const copy: ActivityOptions = { ...base, startToCloseTimeout: '6 hours' };

/** Steps forward. */
export const { reserveTenant } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Reserve the id in the registry' });
export const { createInfrastructure } = proxyActivities<LifecycleActivities>({ ...build, summary: 'Create the CloudFormation stack' });
export const { createMemory } = proxyActivities<LifecycleActivities>({ ...build, summary: 'Create the AgentCore memory' });
export const { createRuntime } = proxyActivities<LifecycleActivities>({ ...build, summary: 'Create the AgentCore runtime and its endpoint' });
export const { createIdentity } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Create workload identity and credential provider' });
export const { createGateway } = proxyActivities<LifecycleActivities>({ ...build, summary: 'Create the AgentCore gateway, its target and rate limit' });
export const { createScaling } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Put the scaling policy on the worker fleet' });
export const { putConfig } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Write the agent configuration to SSM' });
export const { createAdministrator } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Create the administrator in the user pool' });
export const { activateTenant } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Activate the tenant' });
export const { createTenantSchedules } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Create the schedules of the maintenance' });
export const { holdSmokeTurn } = proxyActivities<LifecycleActivities>({
  ...base,
  startToCloseTimeout: '3 minutes',
  // The session has tried what trying again can mend: the turn has failed for good, and a retry would find it so.
  retry: { ...base.retry, nonRetryableErrorTypes: ['turn/failed'] },
  summary: 'Hold one turn as a user would',
});
export const { statusBeforeLeaving, blockTenant } = proxyActivities<LifecycleActivities>({
  ...quick,
  // The caller waits for the answer, and decides whether to come back.
  retry: { ...base.retry, nonRetryableErrorTypes: ['tenant/busy'] },
  summary: 'Block new work in the registry',
});
export const { schedulesBeforeLeaving } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'See which schedules are paused' });
export const { claimTenant } = proxyActivities<LifecycleActivities>({
  ...quick,
  // As with blocking, the caller waits for the answer.
  retry: { ...base.retry, nonRetryableErrorTypes: ['tenant/busy'] },
  summary: 'Take the tenant for this operation alone',
});
export const { releaseClaim } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Let others work on the tenant' });
/** It ends its sessions by its own clock; as long as it beats, it works. */
export const { drainSessions } = proxyActivities<LifecycleActivities>({ ...base, startToCloseTimeout: '2 days', summary: 'Wait until no session runs' });
export const { closeEndedSessions } = proxyActivities<LifecycleActivities>({ ...base, startToCloseTimeout: '10 minutes', summary: 'Write the ends of sessions that were cut off' });
/** Of a tenant that was never counted, it reads all logs. */
export const { rollUpUsage } = proxyActivities<LifecycleActivities>({ ...base, startToCloseTimeout: '1 hour', summary: "Read the sessions' logs from where the last count stopped" });
export const { announceDeletion } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Say until when it can be called off' });
export const { takeBackup } = proxyActivities<LifecycleActivities>({ ...copy, summary: 'Write the backup' });
export const { checkKeyIsLost } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'See that the key cannot be used' });
export const { verifyBackup } = proxyActivities<LifecycleActivities>({ ...copy, summary: 'Read the backup back, compare counts and hashes' });

/** Steps of a working tenant's operations, and their undos. */
export const { changeStatus } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Change the status in the registry' });
export const { takeBackStatus } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Give the tenant the status it had' });
export const { pauseTenantSchedules } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Pause the schedules' });
export const { resumeTenantSchedules } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Resume what an operation paused' });
/** Turns that may finish take as long as they take; as long as it beats, it works. */
export const { restSessions } = proxyActivities<LifecycleActivities>({ ...base, startToCloseTimeout: '2 days', summary: 'Wait until every session rests' });
export const { wakeSessions } = proxyActivities<LifecycleActivities>({ ...base, startToCloseTimeout: '10 minutes', summary: 'Let every session go on' });
export const { checkTier, setTier } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'The tier in the registry' });
export const { checkConfig, putConfigBack } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'The agent configuration in SSM' });
export const { beforeRotation } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'See how often the key was rotated' });
export const { rotateKey } = proxyActivities<LifecycleActivities>({ ...build, summary: 'Let KMS give the key new material' });
export const { renewDataKeys } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Tell every process to make new data keys' });
export const { checkKey } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Open what was sealed before and now' });
export const { clientsBefore } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'See which client the stack has' });
export const { setClients } = proxyActivities<LifecycleActivities>({ ...build, summary: "Update the stack's clients" });
export const { acceptClients } = proxyActivities<LifecycleActivities>({ ...build, summary: 'Have runtime and gateway accept the clients' });
export const { retireClient } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Accept the old client no longer' });

/** Restoring. */
export const { deleteBackup } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Delete the backup' });
export const { restoreMode } = proxyActivities<LifecycleActivities>({
  ...quick,
  // The caller waits for the answer, and decides whether to come back.
  retry: { ...base.retry, nonRetryableErrorTypes: ['tenant/busy'] },
  summary: 'Look what the tenant is',
});
export const { forgetSessions } = proxyActivities<LifecycleActivities>({ ...build, summary: 'End the session workflows' });
export const { findBackup } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Find the backup' });
export const { restoreUsers } = proxyActivities<LifecycleActivities>({ ...copy, summary: 'Make the users of the backup' });
export const { takeBackUsers } = proxyActivities<LifecycleActivities>({ ...copy, summary: 'Make the users those there were' });
export const { forgetRestore } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Remove what was noted to go on from' });
export const { restoreData } = proxyActivities<LifecycleActivities>({ ...copy, summary: 'Write what the backup holds' });
export const { compareWithBackup } = proxyActivities<LifecycleActivities>({ ...copy, summary: 'Read the tenant, compare counts and hashes with the backup' });

/** Erasing. */
export const { mustBeErasable } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Look whether it is there' });
export const { listErasure } = proxyActivities<LifecycleActivities>({ ...copy, summary: 'Note what there is, outside of the tenant' });
export const { endErasedSessions } = proxyActivities<LifecycleActivities>({ ...copy, summary: 'Stop and close the sessions' });
export const { hideErased } = proxyActivities<LifecycleActivities>({ ...copy, summary: 'Take sessions out of every list, delete schedules' });
export const { eraseAt } = proxyActivities<LifecycleActivities>({ ...copy, summary: 'Erase one place' });
export const { signErasure } = proxyActivities<LifecycleActivities>({ ...copy, summary: 'Look again everywhere, and sign' });

/** Steps back, and deletion. */
export const { releaseTenant } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Give the id back' });
export const { unblockTenant } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Let the tenant work again' });
export const { terminateSessions } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'End sessions of the first conversation' });
export const { deleteTenantSchedules } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Delete the schedules and end what they started' });
export const { deleteConfig } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Delete the agent configuration' });
export const { deleteScaling } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Take the scaling policy off the worker fleet' });
export const { deleteGateway } = proxyActivities<LifecycleActivities>({ ...build, summary: 'Delete the AgentCore gateway' });
export const { deleteIdentity } = proxyActivities<LifecycleActivities>({ ...build, summary: 'Delete credential provider and workload identity' });
export const { deleteRuntime } = proxyActivities<LifecycleActivities>({ ...build, summary: 'Delete the AgentCore runtime' });
export const { deleteMemory } = proxyActivities<LifecycleActivities>({ ...build, summary: 'Delete the AgentCore memory' });
export const { emptyBucket } = proxyActivities<LifecycleActivities>({ ...build, summary: 'Empty the bucket' });
export const { deleteInfrastructure } = proxyActivities<LifecycleActivities>({ ...build, summary: 'Delete the CloudFormation stack' });
export const { scheduleKeyDeletion } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Schedule the deletion of the key' });
export const { checkNothingRemains } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Look for what is left' });
export const { keepInventory } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Note all there is' });
export const { endWork } = proxyActivities<LifecycleActivities>({ ...build, summary: 'End what still runs in Temporal' });
export const { issueCertificate } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Look once more, and sign the certificate' });
export const { buryTenant } = proxyActivities<LifecycleActivities>({ ...quick, summary: 'Keep the id from reuse' });

/** What is stuck is often stuck because AWS is away: it goes on trying, and holds nothing up. */
export const { reportStuck } = proxyActivities<LifecycleActivities>({
  ...quick,
  retry: { maximumInterval: '1 minute' },
  scheduleToCloseTimeout: '1 hour',
  summary: 'Call a person: a step rests',
});

/** What has ended stays open until it is recorded: as long as that takes. */
export const { auditOperationEnd } = proxyActivities<LifecycleActivities>({
  ...quick,
  retry: { maximumInterval: '1 minute' },
  summary: 'Tell the audit log how it ended',
});

/** On the tenant's own queue. A queue nobody polls waits for ever: a minute is enough for a worker to find its tenant. */
export const handshakeWith = (tenantId: string): HandshakeActivities['handshake'] =>
  proxyActivities<HandshakeActivities>({
    ...base,
    taskQueue: taskQueues.tenant(tenantId),
    startToCloseTimeout: '10 seconds',
    scheduleToCloseTimeout: '60 seconds',
    summary: `A worker answers on ${taskQueues.tenant(tenantId)}`,
  }).handshake;
