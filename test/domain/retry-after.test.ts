import { retryAfter } from '../../src/domain/retry-after';

const nowMs = Date.parse('2026-11-30T12:00:00Z');

it.each([
  ['30', 30],
  ['Mon, 30 Nov 2026 12:00:20 GMT', 20],
  ['86400', 60],
  ['Tue, 01 Dec 2026 12:00:00 GMT', 60],
  ['0', undefined],
  ['Mon, 30 Nov 2026 11:59:00 GMT', undefined],
  ['soon', undefined],
  [undefined, undefined],
])('of %s, %s s are waited', (header, seconds) => {
  expect(retryAfter(header, nowMs).retryAfterSeconds).toBe(seconds);
});
