import { derivedId, newId } from '../contracts/ids';
import { operationIds, type OperationKind } from '../contracts/names';
import type { Operation } from '../contracts/operation';
import type { Reply } from './route';

/**
 * A repeated request with its key finds the operation it started.
 * @param userId - of operations that users begin for themselves: their keys are their own.
 */
export const operationIdFor = (kind: OperationKind, tenantId: string, key: string | undefined, userId?: string): string =>
  operationIds.of(kind, tenantId, key === undefined ? newId('operation') : derivedId('operation', kind, tenantId, ...(userId === undefined ? [] : [userId]), key));

/** The answer of a route that begins an operation, or steers one. */
export const accepted = (operation: Operation): Reply<Operation> => ({ headers: { location: `/api/v1/operations/${operation.operationId}` }, body: operation });
