import type { ApprovalPolicy, ApprovalTerms, ArgumentCondition, Ruling } from '../contracts/approval';
import type { JsonValue } from '../contracts/model';
import { valueAt } from './json-pointer';
import { matchesName } from './name-pattern';

/** One call, exactly. */
export interface RequestedCall {
  readonly tool: string;
  readonly input: JsonValue;
  readonly effect: 'read' | 'idempotent' | 'write';
  /** What the tool itself asks for, where no rule says otherwise. */
  readonly usual?: Ruling | undefined;
}

export type PolicyRuling =
  | { readonly decision: 'allow' | 'deny' }
  | { readonly decision: 'ask'; readonly terms: ApprovalTerms };

const usualTerms: ApprovalTerms = { quorum: 1, notRequester: false, expiresAfterSeconds: 86_400, onExpiry: 'deny' };

/** What the policy says of a call: the first rule that fits, else what the tool asks for, else its effect. Without a policy all else is allowed. */
export function rulingOn(policy: ApprovalPolicy | undefined, call: RequestedCall): PolicyRuling {
  const rule = policy?.rules.find(({ tool, when }) => matchesName(tool, call.tool) && when.every((condition) => holds(condition, call.input)));
  const decision = rule?.decision ?? call.usual ?? policy?.otherwise[call.effect] ?? 'allow';
  return decision === 'ask' ? { decision, terms: termsOf(policy, rule) } : { decision };
}

/** The part of a toolbox that knows what its tools do. */
interface Effects {
  find(tool: string): { effectOf(input: JsonValue): RequestedCall['effect']; readonly approval?: Ruling | undefined } | undefined;
}

/** The same of a call of one of these tools. What a tool that is not known does is feared to write. */
export function rulingAmong(tools: Effects, policy: ApprovalPolicy | undefined, { tool, input }: Pick<RequestedCall, 'tool' | 'input'>): PolicyRuling {
  const found = tools.find(tool);
  return rulingOn(policy, { tool, input, effect: found?.effectOf(input) ?? 'write', usual: found?.approval });
}

/** On which terms people are asked; for an edit, too, whatever the policy says of the new arguments. */
export const termsOf = (policy: ApprovalPolicy | undefined, rule: SomeTerms = {}): ApprovalTerms => {
  const { quorum, notRequester, expiresAfterSeconds, onExpiry } = { ...usualTerms, ...given(policy?.terms ?? {}), ...given(rule) };
  return { quorum, notRequester, expiresAfterSeconds, onExpiry };
};

type SomeTerms = { readonly [Name in keyof ApprovalTerms]?: ApprovalTerms[Name] | undefined };

const given = (terms: SomeTerms): Partial<ApprovalTerms> =>
  Object.fromEntries(Object.entries(terms).filter(([, value]) => value !== undefined));

function holds({ pointer, is, value }: ArgumentCondition, input: JsonValue): boolean {
  const found = valueAt(input, pointer);
  switch (is) {
    case 'present':
      return found !== undefined;
    case 'absent':
      return found === undefined;
    case 'equals':
      return isSame(found, value);
    case 'not_equals':
      return !isSame(found, value);
    case 'one_of':
      return Array.isArray(value) && value.some((one) => isSame(found, one));
    case 'more_than':
      return isNumber(found) && isNumber(value) && found > value;
    case 'at_least':
      return isNumber(found) && isNumber(value) && found >= value;
    case 'less_than':
      return isNumber(found) && isNumber(value) && found < value;
    case 'at_most':
      return isNumber(found) && isNumber(value) && found <= value;
    case 'starts_with':
      return isText(found) && isText(value) && found.startsWith(value);
    case 'ends_with':
      return isText(found) && isText(value) && found.endsWith(value);
    case 'contains':
      return isText(value) && (isText(found) ? found.includes(value) : Array.isArray(found) && found.includes(value));
  }
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
const isText = (value: unknown): value is string => typeof value === 'string';

/** Equal as JSON: the order of properties does not matter, that of lists does. */
function isSame(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  const at = (value: object, name: string) => (value as Record<string, JsonValue>)[name];
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && isSame(at(a, name), at(b, name)));
}
