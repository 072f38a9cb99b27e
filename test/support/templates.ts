import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, type ScalarTag, type CollectionTag, YAMLMap, YAMLSeq } from 'yaml';

/** Of a policy. */
export interface Statement {
  readonly Sid: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | string[];
  readonly Resource: string | string[];
  readonly Condition?: Record<string, Record<string, string | string[]>>;
}
interface Resource {
  readonly Type: string;
  readonly Properties: { readonly PolicyDocument: { readonly Statement: Statement[] }; readonly PermissionsBoundary?: string; readonly ManagedPolicyArns?: string[] };
}

/** As long as they become: the partition and region with the longest names, and ARNs of keys. */
const values: Readonly<Record<string, string>> = { 'AWS::Partition': 'aws-us-gov', 'AWS::Region': 'ap-southeast-2', 'AWS::AccountId': '123456789012' };
const filled = (text: string) => text.replaceAll(/\$\{([\w:]+)\}/g, (whole, name: string) => values[name] ?? whole).replaceAll('${!', '${');
/** What a reference to a parameter or resource of the template becomes. */
export const referred = (name: string) => `arn:aws-us-gov:kms:ap-southeast-2:123456789012:key/${name}`.padEnd(96, 'x');
const scalar = (tag: string, resolve: (text: string) => unknown): ScalarTag => ({ tag, resolve });
const collection = (tag: string, nodeClass: typeof YAMLMap | typeof YAMLSeq): CollectionTag => ({ tag, collection: nodeClass === YAMLMap ? 'map' : 'seq', nodeClass });
const customTags = [
  scalar('!Sub', filled),
  scalar('!Ref', referred),
  scalar('!GetAtt', referred),
  scalar('!Condition', String),
  ...['!Sub', '!Join', '!Split', '!If', '!Not', '!Or', '!And', '!Equals'].map((tag) => collection(tag, YAMLSeq)),
];

/** What a template in `cloudformation` is made of, its variables filled in. */
export const resourcesOf = (file: string) => (parse(readFileSync(path.resolve('cloudformation', file), 'utf8'), { customTags }) as { Resources: Record<string, Resource> }).Resources;
