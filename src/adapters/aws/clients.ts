import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { ApplicationAutoScalingClient } from '@aws-sdk/client-application-auto-scaling';
import { BedrockAgentCoreClient } from '@aws-sdk/client-bedrock-agentcore';
import { BedrockAgentCoreControlClient } from '@aws-sdk/client-bedrock-agentcore-control';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { IAMClient } from '@aws-sdk/client-iam';
import { KMSClient } from '@aws-sdk/client-kms';
import { ResourceGroupsTaggingAPIClient } from '@aws-sdk/client-resource-groups-tagging-api';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { SSMClient } from '@aws-sdk/client-ssm';
import { STSClient } from '@aws-sdk/client-sts';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { translatingFailures } from './failures';

export interface AwsSettings {
  readonly region: string;
  /** Of an AWS emulator; AWS itself when undefined. */
  readonly endpoint: string | undefined;
  /** Time to open a connection. Default 1 s: a host that does not answer by then is down. */
  readonly connectTimeoutMs?: number;
  /** Time from request to answer. Default 5 s. */
  readonly requestTimeoutMs?: number;
  /** What the endpoint has. Default: all, as AWS itself. */
  readonly services?: OptionalServices;
}

/** Services that an emulator may lack. What a tenant has there is looked for, and deleted, only where they are. */
export interface OptionalServices {
  readonly gateway: boolean;
  readonly identity: boolean;
  readonly scaling: boolean;
}

const allServices: OptionalServices = { gateway: true, identity: true, scaling: true };

export type Credentials = NonNullable<S3ClientConfig['credentials']>;

// One pool of connections for all clients of a process: clients of many tenants talk to the same few hosts.
const pool = { keepAlive: true, maxSockets: 256, maxFreeSockets: 64, scheduling: 'lifo' } as const;
const httpAgent = new HttpAgent(pool);
const httpsAgent = new HttpsAgent(pool);

/** What every client of AWS has in common; for the clients made elsewhere too. */
export const clientDefaults = (settings: AwsSettings, credentials?: Credentials) => ({
  region: settings.region,
  maxAttempts: 3,
  requestHandler: {
    httpAgent,
    httpsAgent,
    connectionTimeout: settings.connectTimeoutMs ?? 1_000,
    requestTimeout: settings.requestTimeoutMs ?? 5_000,
    throwOnRequestTimeout: true,
  },
  ...(settings.endpoint !== undefined && { endpoint: settings.endpoint }),
  ...(credentials !== undefined && { credentials }),
});

const documents = (client: DynamoDBClient) =>
  DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });

const clientsOf = (settings: AwsSettings, credentials?: Credentials, onRefused?: () => void) => {
  const defaults = clientDefaults(settings, credentials);
  return lazily({
    table: () => documents(translatingFailures(new DynamoDBClient(defaults), onRefused)),
    // Bucket names as host names don't resolve at an emulator.
    s3: () => translatingFailures(new S3Client({ ...defaults, forcePathStyle: settings.endpoint !== undefined }), onRefused),
    kms: () => translatingFailures(new KMSClient(defaults), onRefused),
    ssm: () => translatingFailures(new SSMClient(defaults), onRefused),
    agentCore: () => translatingFailures(new BedrockAgentCoreClient(defaults), onRefused),
  });
};

/** Each is made when it is first asked for: credentials for one purpose need one or two of them. */
function lazily<Clients extends object>(makers: { readonly [Name in keyof Clients]: () => Clients[Name] }): Clients {
  const made: Partial<Clients> = {};
  const getters = Object.entries<() => unknown>(makers).map(([name, make]) => [name, { enumerable: true, get: () => (made[name as keyof Clients] ??= make() as Clients[keyof Clients]) }] as const);
  return Object.defineProperties({}, Object.fromEntries(getters)) as Clients;
}

/** Clients that act for one tenant, with the credentials of that tenant's role. */
export type TenantClients = ReturnType<typeof clientsOf>;

/** @param onRefused - told when AWS refuses the credentials. */
export const createTenantClients = (settings: AwsSettings, credentials: Credentials, onRefused: () => void): TenantClients =>
  clientsOf(settings, credentials, onRefused);

/** Clients that act for the platform. @param credentials - default: those of the process. */
export const createPlatformClients = (settings: AwsSettings, credentials?: Credentials) => {
  const defaults = clientDefaults(settings, credentials);
  return {
    ...clientsOf(settings, credentials),
    has: settings.services ?? allServices,
    sts: translatingFailures(new STSClient(defaults)),
    cloudFormation: translatingFailures(new CloudFormationClient(defaults)),
    logs: translatingFailures(new CloudWatchLogsClient(defaults)),
    // An emulator does not take the compressed bodies in which AWS gets large batches of metrics.
    cloudWatch: translatingFailures(new CloudWatchClient({ ...defaults, disableRequestCompression: settings.endpoint !== undefined })),
    iam: translatingFailures(new IAMClient(defaults)),
    tagging: translatingFailures(new ResourceGroupsTaggingAPIClient(defaults)),
    cognito: translatingFailures(new CognitoIdentityProviderClient(defaults)),
    applicationAutoScaling: translatingFailures(new ApplicationAutoScalingClient(defaults)),
    agentCoreControl: translatingFailures(new BedrockAgentCoreControlClient(defaults)),
  };
};

export type PlatformClients = ReturnType<typeof createPlatformClients>;
