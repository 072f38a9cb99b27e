import { referred, resourcesOf } from '../support/templates';

const platform = resourcesOf('platform-identities.yaml');
const policies = Object.entries(platform).filter(([, { Type }]) => Type === 'AWS::IAM::ManagedPolicy');
const statementsOf = (name: string) => platform[name]?.Properties.PolicyDocument.Statement ?? [];

/** @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
it.each(policies)('%s is not longer than IAM takes', (_name, { Properties }) => {
  expect(JSON.stringify(Properties.PolicyDocument).replaceAll(/\s/g, '').length).toBeLessThanOrEqual(6_144);
});

describe('the boundary of tenants', () => {
  it("names nothing that is not the session's own tenant's, but for memories, whose names no variable can write", () => {
    const own = '${aws:PrincipalTag/TenantId}';
    const open = statementsOf('TenantBoundary').filter(({ Resource, Condition }) => ![Resource].flat().every((one) => one.includes(own)) && Condition?.['StringEquals']?.['aws:ResourceTag/TenantId'] !== own);
    expect(open.map(({ Sid }) => Sid)).toEqual(['Memory']);
    expect(statementsOf('TenantBoundary').flatMap(({ Action }) => Action).filter((action) => /^(\*|iam:|sts:|\w+:\*$)/.test(action))).toEqual([]);
  });

  it("is on each tenant's role, and the worker can give nothing to a role without it, nor take it off", () => {
    expect(resourcesOf('tenant-infrastructure.yaml')['AccessRole']?.Properties.PermissionsBoundary).toBe('arn:aws-us-gov:iam::123456789012:policy/tenure-tenant-boundary');
    const giving = ['CreateRole', 'PutRolePolicy', 'AttachRolePolicy', 'PutRolePermissionsBoundary', 'DeleteRolePermissionsBoundary', 'CreatePolicy', 'CreatePolicyVersion', 'SetDefaultPolicyVersion'];
    const given = ['Common', 'ApiPolicy', 'WorkerPolicy'].flatMap(statementsOf).flatMap(({ Action, Condition }) => [Action].flat().map((action) => ({ action, boundary: Condition?.['StringEquals']?.['iam:PermissionsBoundary'] })));
    const free = given.filter(({ action, boundary }) => boundary !== referred('TenantBoundary') && (action === '*' || action === 'iam:*' || giving.some((one) => action === `iam:${one}`)));
    expect(free).toEqual([]);
    expect(given.filter(({ boundary }) => boundary !== undefined).map(({ action }) => action)).toEqual(['iam:CreateRole', 'iam:PutRolePermissionsBoundary', 'iam:PutRolePolicy']);
  });
});
