import type { Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { searchAttributes } from '../../contracts/names';

const { INDEXED_VALUE_TYPE_KEYWORD } = temporal.api.enums.v1.IndexedValueType;

/** Makes sure that workflows can be found by tenant. Idempotent. */
export async function ensureSearchAttributes({ operatorService }: Connection, namespace: string): Promise<void> {
  const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
  if (searchAttributes.tenantId in customAttributes) return;
  await operatorService.addSearchAttributes({ namespace, searchAttributes: { [searchAttributes.tenantId]: INDEXED_VALUE_TYPE_KEYWORD } });
}
