import { ContinuousBackupsUnavailableException, type UpdateContinuousBackupsCommandInput } from '@aws-sdk/client-dynamodb';
import { createPlatformClients } from '../../../src/adapters/aws/clients';
import { ensurePlatform } from '../../../src/adapters/aws/platform';
import { platformResources } from '../../../src/contracts/names';
import { settings } from './tenants';

it('waits until a new table can be backed up, which it cannot at once in AWS', async () => {
  const clients = createPlatformClients(settings);
  const asked: (string | undefined)[] = [];
  const refusing = { step: 'initialize', name: 'refusing' } as const;
  clients.table.middlewareStack.add(
    (next, { commandName }) => (args) => {
      if (commandName !== 'UpdateContinuousBackupsCommand') return next(args);
      const { TableName } = args.input as UpdateContinuousBackupsCommandInput;
      const isNew = !asked.includes(TableName);
      asked.push(TableName);
      return isNew ? Promise.reject(new ContinuousBackupsUnavailableException({ message: 'Backups are being enabled for the table.', $metadata: {} })) : next(args);
    },
    refusing,
  );
  await ensurePlatform(clients, settings, AbortSignal.timeout(20_000));
  const tables = [platformResources.registryTable, platformResources.accessTable, platformResources.auditTable];
  expect(asked).toEqual(tables.flatMap((table) => [table, table]));
});
