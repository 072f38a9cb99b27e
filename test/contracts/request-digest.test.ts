import { requestDigest } from '../../src/contracts/request-digest';

it('tells requests apart by what they say, not by the order they say it in', () => {
  const schema = { type: 'object', properties: { a: { type: 'string' } } };
  const digest = requestDigest({ idempotencyKey: 'k', body: { responseSchema: schema } });
  expect(requestDigest({ body: { responseSchema: { properties: { a: { type: 'string' } }, type: 'object' } }, idempotencyKey: 'k' })).toBe(digest);
  expect(requestDigest({ idempotencyKey: 'k', body: { responseSchema: { ...schema, required: ['a'] } } })).not.toBe(digest);
});
