import type { RequestListener } from 'node:http';
import { CreateKeyCommand, DecryptCommand, EncryptCommand, type KMSClient, RotateKeyOnDemandCommand } from '@aws-sdk/client-kms';
import { createPlatformClients } from '../../../src/adapters/aws/clients';
import { createKeyRotation } from '../../../src/adapters/aws/key-rotation';
import type { Waiting } from '../../../src/ports/provisioning';
import { againstServer } from '../../support/against-server';
import { type Moto, startMoto } from '../../support/moto';

/** Installs moto when it runs for the first time. */

const waiting: Waiting = { signal: new AbortController().signal, beat: () => undefined };
let moto: Moto;
let kms: KMSClient;

beforeAll(async () => {
  moto = await startMoto();
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  kms = createPlatformClients({ region: 'us-east-1', endpoint: moto.url, requestTimeoutMs: 20_000 }, credentials).kms;
});
afterAll(async () => {
  kms.destroy();
  await moto.stop();
});

const newKey = async () => (await kms.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? '';

describe('on demand', () => {
  const rotation = () => createKeyRotation({ kms, mode: 'on-demand' });

  it('rotates a key, which reads what it encrypted before', async () => {
    const keyArn = await newKey();
    const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId: keyArn, Plaintext: Buffer.from('before') }));
    expect(await rotation().count(keyArn)).toBe(0);
    await rotation().rotate(keyArn, 0, waiting);
    expect(await rotation().count(keyArn)).toBe(1);
    const { Plaintext, KeyId } = await kms.send(new DecryptCommand({ CiphertextBlob }));
    expect([Buffer.from(Plaintext ?? []).toString(), KeyId]).toEqual(['before', keyArn]);
  });

  it('rotates once, however often it is tried, and again when it is asked anew', async () => {
    const keyArn = await newKey();
    // An attempt whose answer was lost.
    await kms.send(new RotateKeyOnDemandCommand({ KeyId: keyArn }));
    await rotation().rotate(keyArn, 0, waiting);
    await rotation().rotate(keyArn, 0, waiting);
    expect(await rotation().count(keyArn)).toBe(1);
    await rotation().rotate(keyArn, 1, waiting);
    expect(await rotation().count(keyArn)).toBe(2);
  });

  it('says of a key that cannot be rotated any more that it is the key, which no quota helps', async () => {
    // As AWS says it to the 26th; moto rotates for ever.
    const limit = { __type: 'LimitExceededException', message: 'The on-demand rotation limit of 25 was reached.' };
    const answers: Readonly<Record<string, object>> = { ListKeyRotations: { Rotations: [] }, GetKeyRotationStatus: { KeyRotationEnabled: true }, RotateKeyOnDemand: limit };
    const answer: RequestListener = ({ headers }, response) => {
      const said = answers[String(headers['x-amz-target']).replace('TrentService.', '')];
      response.writeHead(said === limit ? 400 : 200, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(said));
    };
    await againstServer(answer, async (endpoint) => {
      const worn = createPlatformClients({ region: 'us-east-1', endpoint }, { accessKeyId: 'test', secretAccessKey: 'test' });
      await expect(createKeyRotation({ kms: worn.kms, mode: 'on-demand' }).rotate('key', 0, waiting)).rejects.toMatchObject({ code: 'key/not-rotated', message: expect.stringContaining(limit.message) as string });
    });
  });

  it('says of a key that is not there what KMS says', async () => {
    await expect(rotation().count('arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000')).rejects.toMatchObject({ name: 'NotFoundException' });
  });
});

it('leaves a key alone where the key service cannot rotate', async () => {
  const keyArn = await newKey();
  expect(await createKeyRotation({ kms, mode: 'data-keys' }).count(keyArn)).toBeUndefined();
});
