import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import { operationIdPattern, operationKinds, operationStates } from '../../contracts/names';
import { Operation, OperationSummary } from '../../contracts/operation';
import { AnyTenantId } from '../../contracts/tenant';
import type { Operations } from '../../ports/operations';
import { accepted } from '../accepted-operation';
import { operationFeed } from '../operation-feed';
import { InvalidRequest } from '../problem';
import { operatorRoute, type Route } from '../route';
import { queryBoolean } from '../query-values';
import { pageOf, pageOfList } from './paging';

const revisionPattern = /^[0-9]{1,9}$/;
const badRevision = 'it is the id of an event: a number';

const OperationPath = z.object({ operationId: z.string().regex(operationIdPattern, 'not an operation id') });

const Filter = pageOfList('operations').extend({
  tenantId: AnyTenantId.optional(),
  kind: z.enum(operationKinds).optional(),
  state: z.enum(operationStates).optional(),
  stuck: queryBoolean.optional(),
  since: z.iso.datetime().optional().describe('begun then or later'),
  until: z.iso.datetime().optional().describe('begun before'),
});

export interface OperationRoutesDeps {
  readonly operations: Operations;
}

export const operationRoutes = (deps: OperationRoutesDeps): Route[] => [...readingRoutes(deps), ...steeringRoutes(deps)];

const readingRoutes = ({ operations }: OperationRoutesDeps): Route[] => {
  const mustGet = async (operationId: string): Promise<Operation> => {
    const operation = await operations.get(operationId);
    if (!operation) throw new DomainError('operation/not-found', 'There is no such operation.');
    return operation;
  };
  return [
    operatorRoute({
      method: 'get',
      path: '/api/v1/operations',
      summary: 'List operations, newest first, by tenant, kind, state and time',
      permission: 'read:operation',
      query: Filter,
      response: pageOf(OperationSummary),
      status: 200,
      async handle({ query: { limit, cursor, ...filter } }) {
        const { operations: data, ...rest } = await operations.list(filter, { limit, cursor });
        return { body: { data, ...rest } };
      },
    }),
    operatorRoute({
      method: 'get',
      path: '/api/v1/operations/{operationId}',
      summary: 'Show an operation, step by step',
      permission: 'read:operation',
      params: OperationPath,
      response: Operation,
      status: 200,
      handle: async ({ params: { operationId } }) => ({ body: await mustGet(operationId) }),
    }),
    operatorRoute({
      method: 'get',
      path: '/api/v1/operations/{operationId}/events',
      summary: 'Follow an operation: the whole of it each time it has changed, as server-sent events whose id is its revision',
      permission: 'read:operation',
      params: OperationPath,
      query: z.object({ after: z.string().regex(revisionPattern, badRevision).optional() }),
      response: Operation,
      status: 200,
      otherStatuses: { 204: 'The operation has ended, and the reader has seen it (only as a stream)' },
      streams: true,
      async handle({ params: { operationId }, query, header, wantsEvents, signal }) {
        const operation = await mustGet(operationId);
        if (!wantsEvents) return { body: operation };
        const after = revisionFrom(header('last-event-id') ?? query.after);
        // 204 tells an EventSource not to come back.
        const isAtEnd = operation.finishedAt !== undefined && operation.revision <= after;
        return isAtEnd ? { status: 204 } : { events: operationFeed({ operation, after, operations, signal }) };
      },
    }),
  ];
};

const steeringRoutes = ({ operations }: OperationRoutesDeps): Route[] => [
  operatorRoute({
    method: 'post',
    path: '/api/v1/operations/{operationId}/cancel',
    summary: 'Cancel an operation and undo what it did',
    permission: 'write:operation',
    params: OperationPath,
    response: Operation,
    status: 202,
    handle: async ({ params: { operationId } }) => accepted(await operations.cancel(operationId)),
  }),
  operatorRoute({
    method: 'post',
    path: '/api/v1/operations/{operationId}/retry',
    summary: 'Make the next attempt of a failing step or undo now',
    permission: 'write:operation',
    params: OperationPath,
    response: Operation,
    status: 202,
    handle: async ({ params: { operationId } }) => accepted(await operations.retry(operationId)),
  }),
];

function revisionFrom(text: string | undefined): number {
  if (text === undefined) return -1;
  if (!revisionPattern.test(text)) throw new InvalidRequest([{ path: 'Last-Event-ID', message: badRevision }]);
  return Number(text);
}
