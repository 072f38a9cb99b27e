/** @jest-environment ./test/support/outer-errors.ts */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { GetCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { createApprovals } from '../../../src/adapters/aws/approvals';
import { createPlatformClients } from '../../../src/adapters/aws/clients';
import { createSessionDirectory } from '../../../src/adapters/aws/session-directory';
import { createTenantAccess } from '../../../src/adapters/aws/tenant-access';
import { createTenantRegistry } from '../../../src/adapters/aws/tenant-registry';
import { errors } from '../../../src/contracts/errors';
import { againstServer } from '../../support/against-server';
import { aws, newSession, settings, standingPlatform, standingTenant } from './tenants';

const unavailable = { code: 'dependency/unavailable' };
const registryAt = (endpoint: string) => createTenantRegistry(createPlatformClients({ ...settings, endpoint, requestTimeoutMs: 200 }));

it.each([
  ['fails', 500, 'InternalServerError'],
  ['is overloaded', 503, 'ServiceUnavailable'],
  ['throttles', 400, 'ThrottlingException'],
])('a service that %s is not available, after retries', async (_, status, type) => {
  let requests = 0;
  const answer: RequestListener = (_request, response) => {
    requests += 1;
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify({ __type: type, message: 'no' }));
  };
  await againstServer(answer, async (endpoint) => {
    await expect(registryAt(endpoint).get('acme')).rejects.toMatchObject(unavailable);
    expect(requests).toBe(3);
  });
  expect(errors['dependency/unavailable'].retryable).toBe(true);
});

it.each<[string, RequestListener]>([
  ['does not answer', () => undefined],
  ['hangs up', (request) => request.socket.destroy()],
])('a service that %s is not available', async (_, answer) => {
  await againstServer(answer, async (endpoint) => {
    await expect(registryAt(endpoint).get('acme')).rejects.toMatchObject(unavailable);
  });
});

/** The beginning of an answer, of a record as of an object with its sum. */
const begin = ({ headers }: IncomingMessage, response: ServerResponse): void => {
  const ofTable = headers['x-amz-target'] !== undefined;
  response.writeHead(200, { 'content-length': 1_000, ...(ofTable ? { 'content-type': 'application/x-amz-json-1.0' } : { 'x-amz-checksum-crc32': 'AAAAAA==' }) });
  response.write('{"Item":');
};

it.each<[string, RequestListener]>([
  ['falls silent', begin],
  ['breaks off', (request, response) => (begin(request, response), void setImmediate(() => response.destroy()))],
])('a service that %s within its answer is not available', async (_, answer) => {
  await againstServer(answer, async (endpoint) => {
    const { s3, table } = createPlatformClients({ ...settings, endpoint, silenceTimeoutMs: 300 });
    await expect(table.send(new GetCommand({ TableName: 'x', Key: { a: 'a' } }))).rejects.toMatchObject(unavailable);
    const read = async () => (await s3.send(new GetObjectCommand({ Bucket: 'x', Key: 'a' }))).Body?.transformToByteArray();
    await expect(read()).rejects.toMatchObject(unavailable);
  });
}, 20_000);

it('a service that is not there is not available, be it for a tenant', async () => {
  let gone = '';
  await againstServer(() => undefined, (endpoint) => Promise.resolve(void (gone = endpoint)));
  await expect(registryAt(gone).get('acme')).rejects.toMatchObject(unavailable);
  const access = createTenantAccess({ sts: createPlatformClients({ ...settings, endpoint: gone }).sts, settings });
  await expect(access.clients('acme', 'session-read').table.send(new ScanCommand({ TableName: 'x' }))).rejects.toMatchObject(unavailable);
});

it('passes what else AWS says as it is', async () => {
  await expect(aws.table.send(new GetItemCommand({ TableName: 'no-such-table', Key: { a: { S: 'a' } } }))).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
});

it.each([
  ['AccessDeniedException', 'dependency/denied', true],
  ['LimitExceededException', 'infrastructure/quota-exceeded', false],
  ['ServiceQuotaExceededException', 'infrastructure/quota-exceeded', false],
] as const)('says of %s what is in the way, and of whose request', async (type, code, isRetryable) => {
  const answer: RequestListener = (_request, response) => {
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify({ __type: type, message: 'no more of these' }));
  };
  await againstServer(answer, async (endpoint) => {
    await expect(registryAt(endpoint).get('acme')).rejects.toMatchObject({ code, message: expect.stringMatching(/DynamoDB .*Get/) as string });
  });
  expect(errors[code].retryable).toBe(isRetryable);
});

it.each([
  ['ProvisionedThroughputExceeded', unavailable],
  ['ItemCollectionSizeLimitExceeded', { name: 'TransactionCanceledException' }],
  ['ValidationError', { name: 'TransactionCanceledException' }],
])('a transaction that is called off for %s is not taken for one that was carried out before', async (Code, failure) => {
  await standingPlatform();
  const { tenantId } = await standingTenant();
  const { sessionId } = newSession(tenantId);
  const answer: RequestListener = (_request, response) => {
    const body = { __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException', Message: 'called off', CancellationReasons: [{ Code: 'None' }, { Code, Message: 'no' }] };
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body));
  };
  await againstServer(answer, async (endpoint) => {
    const access = createTenantAccess({ sts: aws.sts, settings: { ...settings, endpoint } });
    const at = new Date().toISOString();
    const call = { approvalId: 'apr-1', tenantId, sessionId, turnId: 'turn-1', step: 1, callId: 'call-1', tool: 'refund', argumentsHash: '0', argumentsAt: 1 };
    const asked = { ...call, policyVersion: 1, userId: 'ann', notRequester: false, quorum: 1, requestedAt: at, expiresAt: at, onExpiry: 'deny', state: 'waiting' } as const;
    await expect(createApprovals({ access }).open([asked])).rejects.toMatchObject(failure);
    await expect(createSessionDirectory({ access }).create({ tenantId, sessionId, userId: 'ann', createdAt: at })).rejects.toMatchObject(failure);
  });
});
