import type { operationSteps, StepName } from '../src/contracts/names';
import { platformResources, tableKeys, tenantResources } from '../src/contracts/names';
import type { Match } from './wire/rules';

/** The operations whose every step is in the matrix. */
export const campaignKinds = ['onboarding', 'offboarding'] as const;
export type CampaignKind = (typeof campaignKinds)[number];
export type CampaignStep<Kind extends CampaignKind = CampaignKind> = (typeof operationSteps)[Kind][number];

/** A request that decides: it brings about what the step (or its undo) is for. Faults hit it, on the wire. */
export interface Point {
  /** What it is called in the table. */
  readonly name: string;
  readonly match: (tenantId: string) => Partial<Match> & Pick<Match, 'service'>;
  /**
   * The request is about the scratch tenant of the operation's rehearsal, whose id `match` gets; this is the rehearsal's own step.
   */
  readonly rehearsal?: StepName<'rehearsal'>;
  /** Only from this request on: an earlier step asks the same. */
  readonly after?: Point['match'];
  /** It is a whole worker's, not one tenant's: its cases run alone. */
  readonly isShared?: boolean;
  /** Without this request no workflow goes on: one that is denied for good waits until it is allowed, whichever step it is. */
  readonly carriesWorkflow?: boolean;
  /** Why the step is not given up when the request is denied for good; the operation completes. */
  readonly deniedInVain?: string;
  /** A later attempt finds what an earlier one made, before it asks for another: half done it is whole, and the operation completes. */
  readonly looksFirst?: boolean;
  /** Why the request is allowed again once it was denied: the step would be tried longer than a case can wait. */
  readonly deniedBriefly?: string;
}

export interface StepPoints {
  readonly forward: readonly Point[];
  /** Absent: the step has no undo. */
  readonly undo?: readonly Point[];
}

const registry = (action: string, includes: readonly string[]) => (tenantId: string) =>
  ({ service: 'dynamodb', action, includes: [`"${platformResources.registryTable}"`, `"${tenantId}"`, ...includes] });

const aws = (service: string, action: string, nameOf: (names: ReturnType<typeof tenantResources>, tenantId: string) => string | readonly string[]) => (tenantId: string) => ({
  service,
  action,
  includes: [nameOf(tenantResources(tenantId), tenantId)].flat(),
});

/** In a backup's path. */
const inBackups = (method: string) => (tenantId: string) => ({ service: 's3', action: `${method} /tenure-backups-`, includes: [`/${tenantId}/`] });

/** A tenant's certificate, and what it rests on. */
const inCertificates = (method: string, name: string) => (tenantId: string) => ({ service: 's3', action: `${method} /tenure-backups-`, includes: [`/certificates/${tenantId}/`, name] });

const temporal = (action: string, ...includes: readonly ((tenantId: string) => string)[]) => (tenantId: string) => ({
  service: 'temporal',
  action,
  includes: includes.map((include) => include(tenantId)),
});

/** The grace period of cases about it: no other timer of an operation is that long, so that it is known on the wire. */
export const graceSeconds = 3;

const named = (text: string) => () => text;
const sessionsOf = (tenantId: string) => `${tenantId}/sessions/`;
const operationsOf = (tenantId: string) => `${tenantId}/operations/`;
const schedulesOf = (tenantId: string) => `${tenantId}/schedules/`;

/** That the activity is done reaches Temporal by this. */
const answerOf = (activity: string): Point => ({ name: `answer of ${activity}`, match: temporal('RespondActivityTaskCompleted', operationsOf, named(activity)) });
/** As {@link answerOf}, of a step that is tried for a quarter of an hour or longer. */
const lastingAnswerOf = (activity: string): Point => ({ ...answerOf(activity), deniedBriefly: 'Temporal never hears that it is done: it is tried until its time is up, an hour at most.' });
/** In the scratch tenant of a rehearsal. */
const scratch = (step: StepName<'rehearsal'>, point: Point): Point => ({ ...point, name: `${point.name} (scratch)`, rehearsal: step });
/** An operation's rehearsal is announced by this; the name of the child has the scratch tenant's id in it. */
export const rehearsalBegins = temporal('RespondWorkflowTaskCompleted', operationsOf, () => '/operations/rehearsal_');
export const rehearsalInText = /"workflowId":"(?<tenantId>scratch-[a-z0-9-]+)\/operations\/(?<operationId>rehearsal_[^"]+)"/;
const createStack: Point = { name: 'CreateStack', match: aws('cloudformation', 'CreateStack', ({ stack }) => stack) };
const createMemory: Point = { name: 'CreateMemory', match: aws('bedrock-agentcore', 'POST /memories/create', ({ memory }) => `"${memory}"`), looksFirst: true };
const deleteFromRegistry: Point = { name: 'DeleteItem registry', match: registry('DeleteItem', []) };
const createSchedule: Point = { name: 'CreateSchedule', match: temporal('CreateSchedule', schedulesOf) };
const deleteSchedule: Point = { name: 'DeleteSchedule', match: temporal('DeleteSchedule', schedulesOf) };
const deleteMemory: Point = { name: 'DeleteMemory', match: aws('bedrock-agentcore', 'DELETE /memories/', ({ memory }) => `${memory}-`) };
const deleteEndpoint: Point = { name: 'DeleteAgentRuntimeEndpoint', match: aws('bedrock-agentcore', 'DELETE /runtimes/', ({ runtime }) => [`${runtime}-`, '/runtime-endpoints']) };
const deleteRuntime: Point = {
  name: 'DeleteAgentRuntime',
  match: (tenantId) => ({ service: 'bedrock-agentcore', action: 'DELETE /runtimes/', includes: [`${tenantResources(tenantId).runtime}-`], excludes: ['/runtime-endpoints'] }),
};
const deleteParameter: Point = { name: 'DeleteParameter', match: aws('ssm', 'DeleteParameter', ({ agentParameter }) => `"${agentParameter}"`) };
const listVersions: Point = { name: 'ListObjectVersions', match: aws('s3', 'GET ', ({ bucket }) => [`/${bucket}`, 'versions']) };
const deleteStack: Point = { name: 'DeleteStack', match: aws('cloudformation', 'DeleteStack', ({ stack }) => stack) };
const describeTable: Point = { name: 'DescribeTable', match: aws('dynamodb', 'DescribeTable', ({ table }) => `"${table}"`) };
/** Keys are asked for by their tag before they go: the request that deletes names the key only. */
const findKeys: Point = { name: 'GetResources', match: (tenantId) => ({ service: 'tagging', action: 'GetResources', includes: [`"${tenantId}"`] }) };

/** Model requests are told apart by what the tenant's agent is told: {@link promptOf}. */
export const modelRequest = (tenantId: string) => ({ service: 'bedrock', action: 'POST /model/', includes: [promptOf(tenantId)] });
export const promptOf = (tenantId: string): string => `You are the agent of tenant ${tenantId}.`;

/** A request that makes an operation fail for good, at a moment when all that can be undone was done: [match, what is answered]. */
export const triggers = {
  onboarding: { match: modelRequest, fault: { kind: 'refuse', code: 'ValidationException', message: 'this model is not for you', status: 400 }, code: 'turn/failed' },
  offboarding: { match: inBackups('GET'), fault: { kind: 'refuse', code: 'NoSuchKey', message: 'gone', status: 404 }, code: 'backup/incomplete' },
} as const;

/** A rehearsal notes in the backup how far it has come, and looks for its notes when everything is restored: from then on the trigger hits. */
export const rehearsalHasRestored = (tenantId: string) => ({ service: 's3', action: 'GET /tenure-backups-', includes: [`${tenantId}/`, 'restore-rehearsal_', 'versions'] });

/**
 * Each step of onboarding and offboarding, and where on the wire it can be hurt. A new step needs its row here: what does it
 * ask of whom, and what does its undo? Without a row nothing type-checks; with a row that no request ever meets, its cases fail.
 */
export const points: { readonly [Kind in CampaignKind]: { readonly [Step in CampaignStep<Kind>]: StepPoints } } = {
  onboarding: {
    reserve: {
      forward: [{ name: 'PutItem registry', match: registry('PutItem', ['provisioning']) }],
      undo: [deleteFromRegistry],
    },
    infrastructure: {
      forward: [
        createStack,
        { name: 'UpdateItem registry', match: registry('UpdateItem', ['userPoolId']) },
      ],
      undo: [listVersions, deleteStack, findKeys],
    },
    memory: {
      forward: [createMemory],
      undo: [deleteMemory],
    },
    runtime: {
      forward: [
        { name: 'CreateAgentRuntime', match: aws('bedrock-agentcore', 'PUT /runtimes/', ({ runtime }) => `"${runtime}"`), looksFirst: true },
        { name: 'CreateAgentRuntimeEndpoint', match: aws('bedrock-agentcore', 'PUT /runtimes/', ({ runtime }) => [`${runtime}-`, '/runtime-endpoints']), looksFirst: true },
      ],
      undo: [deleteEndpoint, deleteRuntime],
    },
    // The local AWS has neither of these services: what is hurt is the answer of the activity.
    identity: { forward: [lastingAnswerOf('createIdentity')], undo: [answerOf('deleteIdentity')] },
    gateway: { forward: [lastingAnswerOf('createGateway')], undo: [answerOf('deleteGateway')] },
    config: {
      forward: [{ name: 'PutParameter', match: aws('ssm', 'PutParameter', ({ agentParameter }) => `"${agentParameter}"`) }],
      undo: [deleteParameter],
    },
    administrator: {
      forward: [{ name: 'AdminCreateUser', match: (tenantId) => ({ service: 'cognito-idp', action: 'AdminCreateUser', includes: [`admin@${tenantId}.example`] }) }],
    },
    schedules: { forward: [createSchedule], undo: [deleteSchedule] },
    scaling: { forward: [lastingAnswerOf('createScaling')], undo: [answerOf('deleteScaling')] },
    worker: { forward: [answerOf('handshake')] },
    smoke_turn: {
      forward: [
        { name: 'ExecuteMultiOperation', match: temporal('ExecuteMultiOperation', sessionsOf) },
        { name: 'ConverseStream', match: modelRequest },
      ],
      undo: [
        { name: 'ListWorkflowExecutions', match: temporal('ListWorkflowExecutions', (tenantId) => `"${tenantId}"`) },
        { name: 'TerminateWorkflowExecution', match: temporal('TerminateWorkflowExecution', sessionsOf) },
      ],
    },
    activate: { forward: [{ name: 'UpdateItem registry', match: registry('UpdateItem', ['"active"']) }] },
  },
  offboarding: {
    block: {
      forward: [{ name: 'UpdateItem registry', match: registry('UpdateItem', ['":to":{"S":"offboarding"}']) }],
      undo: [{ name: 'UpdateItem registry (back)', match: registry('UpdateItem', ['":to":{"S":"active"}']) }],
    },
    delete_schedules: { forward: [deleteSchedule], undo: [createSchedule] },
    drain: {
      forward: [
        { name: 'ListWorkflowExecutions', match: temporal('ListWorkflowExecutions', (tenantId) => `"${tenantId}"`) },
        {
          name: 'SignalWorkflowExecution',
          match: temporal('SignalWorkflowExecution', sessionsOf),
          deniedInVain: 'A session that cannot be asked to close is terminated when its time is up.',
        },
      ],
    },
    count_usage: {
      forward: [
        {
          name: 'TransactWriteItems usage',
          match: aws('dynamodb', 'TransactWriteItems', ({ table }) => [`"${table}"`, `"${tableKeys.usage('day')}"`]),
          deniedInVain: 'What cannot be counted is in the backup: it goes on without.',
        },
      ],
    },
    backup: { forward: [{ name: 'PutObject backup', match: inBackups('PUT') }] },
    rehearse_restore: {
      forward: [
        { name: 'RespondWorkflowTaskCompleted', match: rehearsalBegins, carriesWorkflow: true, isShared: true },
        scratch('reserve', { name: 'PutItem registry', match: registry('PutItem', []) }),
        scratch('infrastructure', createStack),
        scratch('memory', createMemory),
        scratch('restore_data', { name: 'BatchWriteItem', match: aws('dynamodb', 'BatchWriteItem', ({ table }) => `"${table}"`) }),
        scratch('delete_infrastructure', deleteStack),
        scratch('give_back', deleteFromRegistry),
      ],
      undo: [scratch('restore_data', deleteParameter), scratch('memory', deleteMemory), scratch('infrastructure', deleteStack), scratch('reserve', deleteFromRegistry)],
    },
    verify_backup: { forward: [{ name: 'GetObject backup', match: inBackups('GET') }] },
    grace_period: {
      forward: [
        { name: 'RespondWorkflowTaskCompleted', match: temporal('RespondWorkflowTaskCompleted', operationsOf, named(`"startToFireTimeout":{"seconds":"${graceSeconds}"`)), carriesWorkflow: true, isShared: true },
      ],
    },
    take_inventory: { forward: [describeTable, { name: 'PutObject inventory', match: inCertificates('PUT', 'inventory.json') }] },
    end_work: { forward: [answerOf('endWork')] },
    delete_scaling: { forward: [answerOf('deleteScaling')] },
    delete_gateway: { forward: [answerOf('deleteGateway')] },
    delete_identity: { forward: [answerOf('deleteIdentity')] },
    delete_runtime: { forward: [deleteEndpoint, deleteRuntime] },
    delete_memory: { forward: [deleteMemory] },
    delete_config: { forward: [deleteParameter] },
    empty_bucket: { forward: [{ ...listVersions, after: deleteParameter.match }] },
    delete_infrastructure: { forward: [deleteStack] },
    schedule_key_deletion: { forward: [{ ...findKeys, after: deleteStack.match }] },
    check_remains: { forward: [{ ...describeTable, after: deleteStack.match }] },
    tombstone: { forward: [{ name: 'UpdateItem registry', match: registry('UpdateItem', ['":tombstone"']) }] },
    certificate: { forward: [{ name: 'GetObject inventory', match: inCertificates('GET', 'inventory.json'), after: deleteStack.match }, { name: 'PutObject certificate', match: inCertificates('PUT', 'certificate.json') }, answerOf('issueCertificate')] },
  },
};
