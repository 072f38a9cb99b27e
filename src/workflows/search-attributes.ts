import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { searchAttributes } from '../contracts/names';

export const tenantKey = defineSearchAttributeKey(searchAttributes.tenantId, SearchAttributeType.KEYWORD);
export const operationStateKey = defineSearchAttributeKey(searchAttributes.operationState, SearchAttributeType.KEYWORD);
