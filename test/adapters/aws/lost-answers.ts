import { RuleBook } from '../../../campaign/wire/rules';
import { AwsProxy } from '../../../campaign/wire/aws-proxy';
import { settings } from './tenants';

type Action = 'GetItem' | 'PutItem' | 'UpdateItem' | 'DeleteItem' | 'BatchGetItem' | 'TransactWriteItems';

/** A line to AWS on which answers are lost. */
export interface LossyLine {
  /** For clients whose requests go by it. */
  readonly settings: typeof settings;
  /** The next such request to DynamoDB is done, and its answer lost: the SDK sends it again. @returns how many were lost so far. */
  loseNext(action: Action, times?: number): () => number;
  /** The answer to the next such request says something else. @returns as {@link loseNext} */
  rewriteNext(action: Action, from: string, to: string): () => number;
  /** The next such request is done, and its answer waits until `release`. @returns `reached` when it waits. */
  holdNext(action: Action): { readonly reached: Promise<void>; release(): void };
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
    rewriteNext(action, from, to) {
      const rule = rules.add({ match: { service: 'dynamodb', action }, fault: { kind: 'rewrite', replace: [{ from, to }] }, count: 1 });
      return () => rule.hits;
    },
    holdNext(action) {
      const rule = rules.add({ match: { service: 'dynamodb', action }, fault: { kind: 'hold' }, count: 1 });
      return { reached: rule.reached, release: () => rule.remove() };
    },
    close: () => proxy.stop(),
  };
}
