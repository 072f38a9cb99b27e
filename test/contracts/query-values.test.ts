import { queryBoolean, queryInteger } from '../../src/api/query-values';

const limit = queryInteger({ min: 0, max: 200 });

it.each(['', ' 5', '+5', '-1', '1e2', '0x1f', '1.5', '201', 'NaN', '9'.repeat(400), ['5']])('takes no %j for a whole number', (text) => {
  expect(limit.safeParse(text).success).toBe(false);
});

it('takes what the document says', () => {
  expect([limit.parse('0'), limit.parse('200'), queryBoolean.parse('true'), queryBoolean.parse('false')]).toEqual([0, 200, true, false]);
  expect(queryBoolean.safeParse('yes').success).toBe(false);
});
