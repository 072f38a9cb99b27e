import { of } from './protection';

const vendor = 'src/adapters/aws/tenant-access.ts';
const template = 'cloudformation/tenant-infrastructure.yaml';
const identities = 'cloudformation/platform-identities.yaml';
const credentials = 'test/adapters/aws/tenant-credentials.test.ts';
const processes = 'test/adapters/aws/process-identities.test.ts';

/** "Credentials and isolation". */
export const ofCredentials = [
  ...of(
    "a role names its own tenant's resources only",
    credentials,
    { id: 'role-table', file: template, search: "Resource: !GetAtt Table.Arn\n", replace: "Resource: !Sub 'arn:${AWS::Partition}:dynamodb:*:*:table/tenant-*'\n", name: "on another tenant's table " },
    { id: 'role-bucket', file: template, search: "Resource: !Sub '${Bucket.Arn}/*'", replace: "Resource: 'arn:aws:s3:::tenant-*'", name: "on another tenant's bucket " },
    { id: 'role-key', file: template, search: "                Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey']\n                Resource: !GetAtt Key.Arn", replace: "                Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey']\n                Resource: '*'", name: "on another tenant's keyAlias " },
    { id: 'role-parameters', file: template, search: "parameter/app/tenant/${TenantId}/*'", replace: "parameter/app/tenant/*'", name: "on another tenant's agentParameter " },
    { id: 'role-memory', file: template, search: "memory/tenant_${Name}_memory-*'", replace: "memory/*'", name: "on another tenant's memory " },
  ),
  ...of('a session can do what its purpose needs, and nothing else', credentials, { id: 'session-policy', file: 'src/adapters/aws/session-policies.ts', search: "if (purpose === 'isolation-probe') return", replace: 'if (purpose !== undefined) return', name: 'can do that, and nothing else' }),
  ...of('credentials are cached by tenant **and** purpose', credentials, { id: 'cache-by-purpose', file: vendor, search: 'clients.memo(accessSessionName(tenantId, purpose),', replace: 'clients.memo(tenantId,', name: 'asks once for a tenant and purpose' }),
  ...of(
    "the role's trust policy: session name, tenant, purpose",
    credentials,
    { id: 'trust-session-name', file: template, search: "StringLike: { 'sts:RoleSessionName': !Sub 'tenure-${TenantId}@*' }", replace: "StringLike: { 'sts:RoleSessionName': '*' }", name: 'cannot be assumed in the name of another tenant' },
    { id: 'trust-tenant', file: template, search: "                'aws:RequestTag/TenantId': !Ref TenantId\n", replace: '', name: 'cannot be assumed' },
    { id: 'trust-purpose', file: template, search: '                  - isolation-probe\n', replace: '                  - isolation-probe\n                  - curiosity\n', name: 'cannot be assumed for a purpose there is not' },
  ),
  ...of(
    'renewal before expiry; good ones outlive an outage of STS, and no longer than they are good',
    credentials,
    { id: 'renewal', file: vendor, search: 'untilMs - renewBeforeMs', replace: 'untilMs + renewBeforeMs', name: 'are renewed before they expire' },
    { id: 'outage-of-sts', file: vendor, search: "codeOf(error) !== 'dependency/unavailable' || !good", replace: "codeOf(error) !== undefined || !good", name: 'last until they expire', says: /unavailable|does not answer|away/i },
    { id: 'outage-no-longer', file: vendor, search: ' || good.untilMs <= performance.now()', replace: '', name: 'last until they expire' },
  ),
  ...of(
    "the processes' identities are refused on tenants' data, by denials too",
    processes,
    { id: 'process-items', file: identities, search: "            Action: ['dynamodb:BatchGetItem', 'dynamodb:DescribeTable', 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:Scan']\n            Resource: !Sub 'arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/tenure-access'\n", replace: "            Action: ['dynamodb:BatchGetItem', 'dynamodb:DescribeTable', 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:Scan']\n            Resource: '*'\n", also: [["table/tenant-*-data*'", "table/nothing'"]], name: 'is refused on a tenant’s' },
    { id: 'process-objects', file: identities, search: "            Action: ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:GetObject', 's3:GetObjectVersion', 's3:PutObject']\n            Resource: !Sub 'arn:${AWS::Partition}:s3:::tenure-backups-${AWS::AccountId}/*'", replace: "            Action: ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:GetObject', 's3:GetObjectVersion', 's3:PutObject']\n            Resource: '*'", also: [["            Action: ['s3:GetObject*', 's3:PutObject*', 's3:ReplicateObject', 's3:RestoreObject']\n            Resource: !Sub 'arn:${AWS::Partition}:s3:::tenant-*-data-bucket/*'", "            Action: ['s3:GetObject*', 's3:PutObject*', 's3:ReplicateObject', 's3:RestoreObject']\n            Resource: !Sub 'arn:${AWS::Partition}:s3:::nothing/*'"]], name: 'is refused on a tenant’s' },
    { id: 'process-parameters', file: identities, search: ":parameter/app/platform/*'", replace: ":parameter/app/*'", also: [["            Action: ['ssm:GetParameter', 'ssm:GetParameters', 'ssm:GetParametersByPath', 'ssm:GetParameterHistory', 'ssm:PutParameter']\n            Resource: !Sub 'arn:${AWS::Partition}:ssm:*:*:parameter/app/tenant/*'", "            Action: ['ssm:GetParameter']\n            Resource: !Sub 'arn:${AWS::Partition}:ssm:*:*:parameter/nothing'"]], name: 'is refused on a tenant’s' },
  ),
  ...of('they make no roles, tables or keys', processes, {
    id: 'process-makes-roles',
    file: identities,
    search: "            Condition:\n              'ForAnyValue:StringEquals': { 'aws:CalledVia': cloudformation.amazonaws.com }\n              StringEquals: { 'iam:PermissionsBoundary': !Ref TenantBoundary }\n",
    replace: '',
    name: 'makes nothing itself',
  }),
  ...of(
    "a tenant's role reaches that tenant's things at most, whatever its policy becomes",
    processes,
    { id: 'boundary-items', file: identities, search: 'table/tenant-${!aws:PrincipalTag/TenantId}-data', replace: 'table/tenant-*-data', name: 'within the boundary of tenants' },
    { id: 'boundary-keys', file: identities, search: "            Condition: { StringEquals: { 'aws:ResourceTag/TenantId': '${aws:PrincipalTag/TenantId}' } }\n", replace: '', name: 'within the boundary of tenants' },
  ),
  ...of(
    "a tenant's role reaches that tenant's things at most, whatever its policy becomes",
    'test/contracts/identity-policies.test.ts',
    { id: 'boundary-is-on', file: template, search: "      PermissionsBoundary: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/tenure-tenant-boundary'\n", replace: '', name: "is on each tenant's role" },
    { id: 'boundary-stays-on', file: identities, search: "              StringEquals: { 'iam:PermissionsBoundary': !Ref TenantBoundary }\n", replace: '', name: "is on each tenant's role" },
  ),
];
