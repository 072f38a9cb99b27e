import { RuleBook } from '../../../campaign/wire/rules';
import { AwsProxy } from '../../../campaign/wire/aws-proxy';
import { settings } from './tenants';

/** A line to AWS on which answers are lost. */
export interface LossyLine {
  /** For clients whose requests go by it. */
  readonly settings: typeof settings;
  /** The next such request to DynamoDB is done, and its answer lost: the SDK sends it again. @returns how many were lost so far. */
  loseNext(action: 'PutItem' | 'UpdateItem' | 'DeleteItem' | 'TransactWriteItems', times?: number): () => number;
  close(): void;
}

export async function openLossyLine(): Promise<LossyLine> {
  const rules = new RuleBook();
  const proxy = new AwsProxy(settings.endpoint ?? '', rules);
  const endpoint = await proxy.start();
  return {
    settings: { ...settings, endpoint },
    loseNext(action, count = 1) {
      const rule = rules.add({ match: { service: 'dynamodb', action }, fault: { kind: 'lose-answer' }, count });
      return () => rule.hits;
    },
    close: () => proxy.stop(),
  };
}
