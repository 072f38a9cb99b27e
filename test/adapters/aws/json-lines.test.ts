import fc from 'fast-check';
import { fromLine, toLine } from '../../../src/adapters/aws/backup/json-lines';

const again = (record: object) => fromLine(toLine(record).toString('utf8').trimEnd());
const name = fc.oneof(fc.string(), fc.constantFrom('$set', '$bytes', '$$set', '$$bytes', '__proto__'));
const json = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Object.is(number, -0)), fc.boolean(), fc.constant(null), fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(name, tie('value'), { maxKeys: 2, noNullPrototype: true })),
})).value;

it('brings back whatever JSON an attribute holds', () => {
  fc.assert(fc.property(json, (value) => expect(again({ value })).toEqual({ value })));
});

it('brings back bytes and sets that are attributes', () => {
  const record = { bytes: Buffer.from([0, 255, 10]), words: new Set(['a', 'b']), numbers: new Set([1]), pieces: new Set([Buffer.from('a')]) };
  expect(again(record)).toEqual(record);
});

it('refuses those that are inside of another value: nothing would tell them from what somebody said', () => {
  for (const inner of [Buffer.from('a'), new Set(['a'])]) expect(() => toLine({ event: { inner } })).toThrow('bytes or sets inside');
});

it('takes a line of before JSON was escaped as it was meant', () => {
  expect(fromLine('{"pk":"EVENTS#s","events":[{"input":{"update":{"$set":["paid"]},"file":{"$bytes":"aGVsbG8="}}}],"words":{"$set":["a"]}}')).toEqual({
    pk: 'EVENTS#s',
    events: [{ input: { update: { $set: ['paid'] }, file: { $bytes: 'aGVsbG8=' } } }],
    words: new Set(['a']),
  });
});
