import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Payload } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { decode as textOf, encode as bytesOf } from '@temporalio/common/lib/encoding';

const { Payload: PayloadMessage } = temporal.api.common.v1;

/** The first byte says what follows. */
const forms = {
  /** A payload as Temporal's protocol has it. */
  message: 0,
  /** The data of a JSON payload without other metadata. */
  json: 1,
  /** The same, compressed with {@link dictionary}. */
  compressedJson: 2,
} as const;

/** What a session's payloads look like; what comes last is found best. It never changes: other words are another form. */
const dictionary = Buffer.from(
  '"state":{"closing":false,"inbox":[],"seen":[],"turnCount":"turns":["interrupt","steer","reject"' +
    '"outcome":"failed","calls":[]"outcome":"cancelled","outcome":"interrupted","held":"error":{"code":"message":"' +
    '"step 1""recall, step ""current_time, step ""calculator, step ""http_request, step ""remember, step "' +
    ',"outcome":"completed","calls":[],"limits":{"maxSteps":12,"maxTurnMs":600000,"historyTurns":30}}' +
    '{"head":,"calls":[{"callId":"tooluse_","tool":"remember","requestedAt":,"timeoutMs":15000,"maxAttempts":5}],"limits":{"maxSteps":12,"maxTurnMs":600000,"historyTurns":30}}' +
    '{"turnId":"turn-","userId":"","onBusy":"enqueue"}{"after":' +
    '{"tenantId":"","sessionId":"ses-","userId":"-4","turnId":"turn-","step":2,"call":{"callId":"tooluse_","tool":"","requestedAt":,"timeoutMs":5000,"maxAttempts":3},"after":' +
    '"step":1,"announced":false,"announced":true,"after":,"historyStart":0}',
);

/** Larger data stay as they are: compressing them would hold the process up. */
const maxCompressedBytes = 16_384;
/** Small tables: a payload is a few hundred bytes, and setting up larger ones would take longer than compressing. */
const small = { level: constants.Z_DEFAULT_COMPRESSION, windowBits: 10, memLevel: 2, dictionary };

const isPlainJson = ({ metadata = {} }: Payload): boolean => {
  const { encoding, ...others } = metadata ?? {};
  return encoding !== undefined && textOf(encoding) === 'json/plain' && Object.keys(others).length === 0;
};

/** A payload in as few bytes as can be. */
export function pack(payload: Payload): Uint8Array {
  const data = payload.data ?? new Uint8Array();
  if (!isPlainJson(payload)) return Buffer.concat([Buffer.of(forms.message), PayloadMessage.encode(payload).finish()]);
  const compressed = data.length <= maxCompressedBytes ? deflateRawSync(data, small) : undefined;
  if (compressed && compressed.length < data.length) return Buffer.concat([Buffer.of(forms.compressedJson), compressed]);
  return Buffer.concat([Buffer.of(forms.json), data]);
}

/** The inverse of {@link pack}. @throws Error for what it did not make. */
export function unpack(bytes: Uint8Array): Payload {
  const rest = bytes.subarray(1);
  if (bytes[0] === forms.message) return PayloadMessage.decode(rest);
  const json = (data: Uint8Array): Payload => ({ metadata: { encoding: bytesOf('json/plain') }, data });
  if (bytes[0] === forms.json) return json(rest);
  if (bytes[0] === forms.compressedJson) return json(inflateRawSync(rest, { dictionary, maxOutputLength: maxCompressedBytes }));
  throw new Error(`Not packed by Tenure: form ${bytes[0] ?? 'none'}.`);
}
