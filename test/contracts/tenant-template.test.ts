import { resourcesOf } from '../support/templates';

it('lets nobody give themselves the e-mail address of another: a restore knows users by it', () => {
  const clients = Object.values(resourcesOf('tenant-infrastructure.yaml')).filter(({ Type }) => Type === 'AWS::Cognito::UserPoolClient');
  expect(clients.map(({ Properties }) => (Properties as { readonly WriteAttributes?: readonly string[] }).WriteAttributes)).toEqual([['name'], ['name']]);
});
