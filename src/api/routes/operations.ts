import { z } from 'zod';
import { DomainError } from '../../contracts/errors';
import { operationIdPattern } from '../../contracts/names';
import { Operation } from '../../contracts/operation';
import type { Operations } from '../../ports/operations';
import { operatorRoute, type Route } from '../route';

const OperationPath = z.object({ operationId: z.string().regex(operationIdPattern, 'not an operation id') });

export const operationRoutes = ({ operations }: { readonly operations: Operations }): Route[] => [
  operatorRoute({
    method: 'get',
    path: '/api/v1/operations/{operationId}',
    summary: 'Show an onboarding or offboarding, step by step',
    permission: 'read:operation',
    params: OperationPath,
    response: Operation,
    status: 200,
    async handle({ params: { operationId } }) {
      const operation = await operations.get(operationId);
      if (!operation) throw new DomainError('operation/not-found', 'There is no such operation.');
      return { body: operation };
    },
  }),
  operatorRoute({
    method: 'post',
    path: '/api/v1/operations/{operationId}/cancel',
    summary: 'Cancel an operation and undo what it did',
    permission: 'write:operation',
    params: OperationPath,
    response: Operation,
    status: 202,
    handle: async ({ params: { operationId } }) => ({ body: await operations.cancel(operationId) }),
  }),
];
