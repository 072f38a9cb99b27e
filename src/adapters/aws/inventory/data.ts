import { DescribeTableCommand, ListBackupsCommand, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { ListMultipartUploadsCommand, ListObjectVersionsCommand, paginateListBuckets } from '@aws-sdk/client-s3';
import { paginateDescribeParameters } from '@aws-sdk/client-ssm';
import { tenantResources } from '../../../contracts/names';
import type { ResourceFinder } from '../../../ports/tenant-inventory';
import type { PlatformClients } from '../clients';
import { ifThere } from '../failures';
import { allOf, checksOf, countOf, resource, tenantsOf } from './finding';

/** Of this account: a bucket of that name that is somebody else's is no tenant's of ours. */
export function bucketFinder({ s3: client }: PlatformClients): ResourceFinder {
  const buckets = (Prefix: string) => allOf(paginateListBuckets({ client }, { Prefix }), (page) => page.Buckets);

  return {
    checks: checksOf('s3', { bucket: 'ListBuckets', 'object-versions': 'ListObjectVersions', 'incomplete-uploads': 'ListMultipartUploads' }),
    async find(tenantId) {
      const { bucket: Bucket } = tenantResources(tenantId);
      if (!(await buckets(Bucket)).some(({ Name }) => Name === Bucket)) return [];
      const [content, uploads] = await Promise.all([
        ifThere(client.send(new ListObjectVersionsCommand({ Bucket }))),
        ifThere(client.send(new ListMultipartUploadsCommand({ Bucket }))),
      ]);
      const versions = countOf([...(content?.Versions ?? []), ...(content?.DeleteMarkers ?? [])], content?.IsTruncated);
      const unfinished = countOf(uploads?.Uploads, uploads?.IsTruncated);
      return [
        resource('s3', 'bucket', Bucket),
        ...(versions ? [resource('s3', 'object-versions', Bucket, versions)] : []),
        ...(unfinished ? [resource('s3', 'incomplete-uploads', Bucket, unfinished)] : []),
      ];
    },
    tenantIds: async () => tenantsOf('bucket', (await buckets('tenant-')).map(({ Name }) => Name)),
  };
}

/** Backups somebody took of the table outlive it. */
export const tableFinder = ({ table: client }: PlatformClients): ResourceFinder => ({
  checks: checksOf('dynamodb', { table: 'DescribeTable', backup: 'ListBackups' }),
  async find(tenantId) {
    const { table: TableName } = tenantResources(tenantId);
    const [found, backups] = await Promise.all([
      ifThere(client.send(new DescribeTableCommand({ TableName }))),
      ifThere(client.send(new ListBackupsCommand({ TableName, BackupType: 'USER' }))),
    ]);
    return [
      ...(found ? [resource('dynamodb', 'table', TableName, found.Table?.TableStatus)] : []),
      ...(backups?.BackupSummaries ?? []).map(({ BackupName = '', BackupStatus }) => resource('dynamodb', 'backup', `${TableName}/${BackupName}`, BackupStatus)),
    ];
  },
  async tenantIds() {
    const names: string[] = [];
    for (let last: string | undefined, isFirst = true; isFirst || last !== undefined; isFirst = false) {
      const page = await client.send(new ListTablesCommand({ ExclusiveStartTableName: last }));
      names.push(...(page.TableNames ?? []));
      last = page.LastEvaluatedTableName;
    }
    return tenantsOf('table', names);
  },
});

/** Names alone: what they say is the tenant's. @param prefix - ends with a slash. */
export const parametersUnder = (prefix: string) => ({ ParameterFilters: [{ Key: 'Path', Option: 'Recursive', Values: [prefix.replace(/\/$/, '')] }] });

export const parameterFinder = ({ ssm: client }: PlatformClients): ResourceFinder => ({
  checks: checksOf('ssm', { parameter: 'DescribeParameters' }),
  async find(tenantId) {
    const found = await allOf(paginateDescribeParameters({ client }, parametersUnder(tenantResources(tenantId).parameterPrefix)), ({ Parameters }) => Parameters);
    return found.map(({ Name = '' }) => resource('ssm', 'parameter', Name));
  },
  async tenantIds() {
    const found = await allOf(paginateDescribeParameters({ client }, parametersUnder('/app/tenant/')), ({ Parameters }) => Parameters);
    return tenantsOf('parameterPrefix', found.map(({ Name = '' }) => Name.split('/').slice(0, 4).join('/').concat('/')));
  },
});
