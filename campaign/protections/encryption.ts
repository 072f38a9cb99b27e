import { of } from './protection';

const cipher = 'src/adapters/aws/history-cipher.ts';
const keys = 'src/adapters/aws/history-keys.ts';
const codec = 'src/adapters/temporal/history-codec.ts';
const test = 'test/adapters/temporal/history-codec.test.ts';
const e2e = 'test/e2e/encryption.test.ts';

/** "Encryption at rest and in histories". */
export const ofEncryption = [
  ...of('a payload opens in its own workflow only, whatever its labels say', test, { id: 'payload-of-its-workflow', file: cipher, search: 'if (workflowId !== undefined && !key.markOf(workflowId).equals(mark))', replace: 'if (workflowId === "")', name: "refuses a payload of another session's" }),
  ...of(
    'every byte of it is authenticated',
    test,
    { id: 'payload-tag', file: cipher, search: 'return Buffer.concat([decipher.update(ciphertext), decipher.final()]);', replace: 'return decipher.update(ciphertext);', name: 'notices every changed or missing byte' },
    { id: 'payload-header', file: cipher, search: 'iv).setAAD(header);', replace: 'iv);', also: [['.setAAD(header).setAuthTag(tag)', '.setAuthTag(tag)']], name: 'notices that its header was changed' },
  ),
  ...of('unwrapped keys are forgotten after five minutes', test, { id: 'unwrapped-keys-forgotten', file: keys, search: 'ttl: dataKeyMaxAgeMs,', replace: 'ttl: 10 * dataKeyMaxAgeMs,', name: 'forgets what it has in memory within five minutes', says: /did not come to be/ }),
  ...of(
    'processes that begin at once agree on one data key; a rotation brings another',
    test,
    { id: 'one-data-key', file: keys, search: "'attribute_not_exists(historyKeys)' : 'size(historyKeys) = :known'", replace: "'attribute_exists(tenantId)' : ':known = :known'", name: 'makes one data key however many processes begin at once' },
    { id: 'rotation-brings-another', file: keys, search: 'const current = keys.findLast(({ keyArn, generation }) => keyArn === of.keyArn && generation === of.generation);', replace: 'const current = keys.findLast(({ keyArn }) => keyArn === of.keyArn);', name: 'makes one data key however many processes begin at once', says: /did not come to be/ },
  ),
  ...of('data keys of histories go with the tenant, before KMS deletes its key', test, { id: 'data-keys-go', file: 'src/adapters/aws/tenant-registry.ts', search: 'REMOVE keepUntil, claimedBy, historyKeys', replace: 'REMOVE keepUntil, claimedBy', name: 'leaves no data key of a tenant that is gone' }),
  ...of('payloads of version 1 stay readable', test, { id: 'version-1', file: codec, search: "if (found !== version) throw", replace: "if (found !== '') throw", name: 'reads what was encrypted in version 1', says: /this release reads/ }),
  ...of("a turn's payloads are not larger than in plain text", test, { id: 'packed-payloads', file: 'src/adapters/temporal/payload-packing.ts', search: 'if (compressed && compressed.length < data.length)', replace: 'if (compressed && compressed.length < 0)', name: 'makes the payloads of a session no larger' }),
  ...of('failures go without words while the key is away', test, { id: 'failures-without-words', file: codec, search: 'if (!payload.metadata?.[failureTextField]) throw error;', replace: 'throw error;', name: 'lets failures go without their words', says: /cannot be used|expect\(/ }),
  ...of(
    'no word of a conversation in Temporal\'s database, Valkey, logs',
    e2e,
    { id: 'words-in-histories', file: codec, search: '(isEmpty(payload) ? payload : encrypt(', replace: '(isEmpty(payload) || payloads.length > 0 ? payload : encrypt(', name: 'leaves no word of a conversation', builds: true },
    { id: 'words-in-failures', file: 'src/workflows/failure-converter.ts', search: "return { ...failure, message: 'Encoded failure', stackTrace: '', encodedAttributes };", replace: "return { ...failure, message: message ?? '', stackTrace: '', encodedAttributes };", name: 'leaves no word of a conversation', builds: true },
  ),
  ...of('disabled: unreadable; enabled: goes on; deleted: never', e2e, { id: 'disabled-is-unreadable', file: 'src/adapters/aws/envelope.ts', search: 'wrapped: required(made.CiphertextBlob)', replace: 'wrapped: required(made.Plaintext)', also: [["const CiphertextBlob = Buffer.from(wrapped, 'base64');", "const CiphertextBlob = Buffer.from(wrapped, 'base64');\n      if (CiphertextBlob.length === 32) return CiphertextBlob;"]], name: 'makes all unreadable while it is disabled', builds: true }),
];
