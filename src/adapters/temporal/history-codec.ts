import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import { decode as textOf, encode as bytesOf } from '@temporalio/common/lib/encoding';
import { visit, walkGetWorkflowExecutionHistoryResponse } from '@temporalio/common/lib/internal-non-workflow';
import { temporal } from '@temporalio/proto';
import { codeOf, DomainError, errors } from '../../contracts/errors';
import { encryptedPayload, failureTextField, historyKeyOf, platformResources, unscheduledId } from '../../contracts/names';
import type { HistoryCipher, TenantCipher } from '../../ports/cipher';
import type { HistoryReader, JsonPayload } from '../../ports/history';
import { pack, unpack } from './payload-packing';

const { Payload: PayloadMessage } = temporal.api.common.v1;
const { fields, encoding, version } = encryptedPayload;

export interface HistoryCiphers {
  /** Under the tenant's own key: what a session's workflow leaves. */
  readonly sessions: HistoryCipher;
  /** The same in version 1, which is only read. */
  readonly tenant: TenantCipher;
  /** Under the platform's, for each tenant. */
  readonly platform: TenantCipher;
}

/**
 * Encrypts everything a workflow's history holds. See docs/decisions/0032-encrypted-histories.md, and 0051 for sessions.
 *
 * An encrypted payload bears what it takes to decrypt it, besides the key. Where the SDK says which workflow a payload is of,
 * one of another workflow is refused.
 *
 * @throws (both) DomainError `key/unavailable`, `dependency/unavailable`; `decode` also `payload/unreadable` for what was changed or moved.
 */
export function createHistoryCodec(ciphers: HistoryCiphers): PayloadCodec {
  async function encrypt(payload: Payload, workflowId: string): Promise<Payload> {
    const { holder, tenantId } = historyKeyOf(workflowId);
    if (holder === 'tenant') return { metadata: metadataOf({ [fields.encoding]: encoding }), data: await ciphers.sessions.seal(tenantId, workflowId, pack(payload)) };
    const data = await ciphers.platform.seal(tenantId, contextOf(workflowId), PayloadMessage.encode(payload).finish());
    const names = { [fields.version]: version, [fields.keyName]: platformResources.historyKeyAlias, [fields.tenantId]: tenantId, [fields.workflowId]: workflowId };
    return { metadata: metadataOf({ [fields.encoding]: encoding, ...names }), data };
  }

  const readable = <T>(opened: Promise<T>, where: string): Promise<T> =>
    opened.catch((error: unknown) => {
      throw codeOf(error) ? error : unreadable(`A payload${where} was changed, moved or cut short.`, error);
    });

  async function decrypt(payload: Payload, expectedWorkflowId: string | undefined): Promise<Payload> {
    const found = fieldOf(payload, fields.version);
    const data = payload.data ?? new Uint8Array();
    if (found === '') return unpack(await readable(ciphers.sessions.open(data, expectedWorkflowId), ''));
    if (found !== version) throw unreadable(`A payload is encrypted in version "${found}"; this release reads versions 1 and 2.`);
    const workflowId = fieldOf(payload, fields.workflowId);
    if (expectedWorkflowId !== undefined && workflowId !== '' && unscheduledId(workflowId) !== unscheduledId(expectedWorkflowId))
      throw unreadable(`A payload of workflow ${workflowId} is in the history of ${expectedWorkflowId}.`);
    const { holder, tenantId } = historyKeyOf(workflowId);
    return PayloadMessage.decode(await readable(ciphers[holder].open(tenantId, contextOf(workflowId), data), ` of workflow "${workflowId}"`));
  }

  return {
    encode: (payloads, context) => Promise.all(payloads.map(async (payload) => (isEmpty(payload) ? payload : encrypt(payload, context?.workflowId ?? '').catch(withoutText(payload))))),
    decode: (payloads, context) => Promise.all(payloads.map(async (payload) => (isEncrypted(payload) ? decrypt(payload, context?.workflowId) : payload))),
  };
}

/** What clients and workers need, so that histories are encrypted: payloads, and the words of failures. */
export const createDataConverter = (ciphers: HistoryCiphers): DataConverter & { readonly payloadCodecs: [PayloadCodec] } => ({
  payloadCodecs: [createHistoryCodec(ciphers)],
  failureConverterPath: require.resolve('../../workflows/failure-converter'),
});

/** A history as it was before it was encrypted: it replays without a key. @throws as the codec's `decode` does */
export async function decryptHistory(codec: PayloadCodec, history: temporal.api.history.v1.IHistory): Promise<temporal.api.history.v1.IHistory> {
  const response = { history: temporal.api.history.v1.History.fromObject(history) };
  const decode = (payloads: Payload[]) => codec.decode(payloads);
  await visit(response, walkGetWorkflowExecutionHistoryResponse, {
    transformPayload: async (payload) => (await decode([payload]))[0] ?? payload,
    transformPayloads: decode,
  });
  return response.history;
}

/**
 * What operators' tools read histories with, in Temporal's JSON.
 * @throws DomainError as the codec does; `key/unavailable` for what a tenant left that is gone, and its key with it.
 */
export function createHistoryReader(codec: PayloadCodec): HistoryReader {
  const through = async (payloads: readonly JsonPayload[], convert: (payloads: Payload[]) => Promise<Payload[]>): Promise<JsonPayload[]> => {
    const converted = await convert(payloads.map(fromJson)).catch((error: unknown) => {
      throw codeOf(error)?.startsWith('tenant/') ? new DomainError('key/unavailable', 'The tenant is gone, and its key with it: its sessions cannot be read any more.', { cause: error }) : error;
    });
    return converted.map(toJson);
  };
  return {
    decode: (payloads) => through(payloads, (given) => codec.decode(given)),
    encode: (payloads) => through(payloads, (given) => codec.encode(given)),
  };
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

const fromJson = ({ metadata = {}, data }: JsonPayload): Payload => ({
  metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')])),
  data: Buffer.from(data ?? '', 'base64'),
});

const toJson = ({ metadata, data }: Payload): JsonPayload => ({
  metadata: Object.fromEntries(Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)])),
  data: base64(data ?? new Uint8Array()),
});

const unreadable = (message: string, cause?: unknown) => new DomainError('payload/unreadable', message, { cause });

const metadataOf = (texts: Record<string, string>): Record<string, Uint8Array> => Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, bytesOf(value)]));

const contextOf = (workflowId: string) => ({ purpose: 'history', workflow: workflowId });

const fieldOf = ({ metadata }: Payload, name: string): string => {
  const value = metadata?.[name];
  return value ? textOf(value) : '';
};

/** Written since there is a codec; what was written before is plain, and stays readable. */
export const isEncrypted = (payload: Payload): boolean => fieldOf(payload, fields.encoding) === encoding;

/** `undefined`, as heartbeats without details carry: an activity must not end because its key cannot be reached just then. */
const isEmpty = (payload: Payload): boolean => fieldOf(payload, fields.encoding) === 'binary/null';

/**
 * A worker that cannot say what failed would end. Where the key is away, a failure goes without its words; all else must
 * not go at all.
 */
const withoutText =
  (payload: Payload) =>
  (error: unknown): Payload => {
    if (!payload.metadata?.[failureTextField]) throw error;
    const title = errors[codeOf(error) ?? 'internal/bug'].title;
    const text = { message: `What failed cannot be told: its words could not be encrypted (${title}).`, stack_trace: '' };
    return { ...payload, data: bytesOf(JSON.stringify(text)) };
  };
