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
  /** Time in which nothing is read of an answer. Default 30 s. It runs while the reader itself pauses: who does something slow with a long one reads it whole before. */
  readonly silenceTimeoutMs?: number;
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
    socketTimeout: settings.silenceTimeoutMs ?? 30_000,
  },
  ...(settings.endpoint !== undefined && { endpoint: settings.endpoint }),
  ...(credentials !== undefined && { credentials }),
});

interface SdkClient {
  readonly middlewareStack: { remove(name: string): boolean };
  readonly config: { readonly serviceId: string };
}

/** The SDK copies what a request brings and gets for a log that nobody keeps: a good part of what a request costs us. */
export function unlogged<Client extends SdkClient>(client: Client): Client {
  client.middlewareStack.remove('loggerMiddleware');
  return client;
}

const ours = <Client extends SdkClient>(client: Client, onRefused?: () => void): Client => translatingFailures(unlogged(client), onRefused);

const documents = (client: DynamoDBClient) =>
  DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });

const clientsOf = (settings: AwsSettings, credentials?: Credentials, onRefused?: () => void) => {
  const defaults = clientDefaults(settings, credentials);
  return lazily({
    table: () => documents(ours(new DynamoDBClient(defaults), onRefused)),
    // Bucket names as host names don't resolve at an emulator.
    s3: () => ours(new S3Client({ ...defaults, forcePathStyle: settings.endpoint !== undefined }), onRefused),
    kms: () => ours(new KMSClient(defaults), onRefused),
    ssm: () => ours(new SSMClient(defaults), onRefused),
    agentCore: () => ours(new BedrockAgentCoreClient(defaults), onRefused),
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
    sts: ours(new STSClient(defaults)),
    cloudFormation: ours(new CloudFormationClient(defaults)),
    logs: ours(new CloudWatchLogsClient(defaults)),
    // An emulator does not take the compressed bodies in which AWS gets large batches of metrics.
    cloudWatch: ours(new CloudWatchClient({ ...defaults, disableRequestCompression: settings.endpoint !== undefined })),
    iam: ours(new IAMClient(defaults)),
    tagging: ours(new ResourceGroupsTaggingAPIClient(defaults)),
    cognito: ours(new CognitoIdentityProviderClient(defaults)),
    applicationAutoScaling: ours(new ApplicationAutoScalingClient(defaults)),
    agentCoreControl: ours(new BedrockAgentCoreControlClient(defaults)),
  };
};

export type PlatformClients = ReturnType<typeof createPlatformClients>;
