const { Connection } = require('@temporalio/client');

/** A test that ran out of time says what the Temporal that tests share was still waiting for just then: on the next run it may not hang. */
module.exports = class WhatHangs {
  async onTestCaseResult(_test, { fullName, failureMessages = [] }) {
    const address = process.env['TEMPORAL_ADDRESS'];
    if (!address || !failureMessages.some((message) => message.includes('Exceeded timeout'))) return;
    const words = await openWork(address).catch((error) => [`Temporal does not say: ${error}`]);
    console.error(`\nWhat was open in the Temporal that tests share when "${fullName}" ran out of time:\n${words.join('\n') || 'no workflow'}\n`);
  }
};

/** Each workflow that runs and waits for something, with its tasks: since when, which attempt, what went wrong. */
async function openWork(address) {
  const connection = await Connection.connect({ address });
  try {
    const { workflowService } = connection;
    const { executions } = await workflowService.listWorkflowExecutions({ namespace: 'default', query: 'ExecutionStatus="Running"' });
    const described = await Promise.all(executions.map(({ execution }) => workflowService.describeWorkflowExecution({ namespace: 'default', execution }).catch(() => undefined)));
    return described.flatMap((workflow) => (workflow && isWaiting(workflow) ? [wordsOf(workflow)] : []));
  } finally {
    await connection.close();
  }
}

const isWaiting = ({ pendingActivities, pendingWorkflowTask }) => pendingActivities.length > 0 || pendingWorkflowTask != null;

function wordsOf({ workflowExecutionInfo: { execution }, pendingActivities, pendingWorkflowTask: task }) {
  const waiting = [
    ...(task ? [`workflow task, attempt ${task.attempt}, scheduled ${timeOf(task.scheduledTime)}, started ${timeOf(task.startedTime)}`] : []),
    ...pendingActivities.map(
      ({ activityType, attempt, scheduledTime, lastStartedTime, lastHeartbeatTime, lastFailure }) =>
        `${activityType.name}, attempt ${attempt}, scheduled ${timeOf(scheduledTime)}, started ${timeOf(lastStartedTime)}, beat ${timeOf(lastHeartbeatTime)}${lastFailure ? `, failed before: ${lastFailure.message}` : ''}`,
    ),
  ];
  return [execution.workflowId, ...waiting.map((words) => `  ${words}`)].join('\n');
}

const timeOf = (time) => (time ? new Date(Number(time.seconds) * 1_000 + time.nanos / 1e6).toISOString().slice(11, 23) : 'never');
