import fc from 'fast-check';
import { wellFormed } from '../../src/domain/well-formed';

it('has no half of a character anywhere, in names as in texts', () => {
  expect(wellFormed({ 'a\ud800': ['b\udc00', { c: '\ud83dx\ude00' }] })).toEqual({ 'a\ufffd': ['b\ufffd', { c: '\ufffdx\ufffd' }] });
});

it('leaves all other JSON as it is', () => {
  fc.assert(fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => expect(wellFormed(value)).toEqual(value)));
});

it('makes of any text one that UTF-8 can say', () => {
  const pieces = fc.array(fc.constantFrom('a', '\\', '\u0000', '\ud83d', '\ude00', '\ud800')).map((units) => units.join(''));
  fc.assert(fc.property(pieces, (text) => expect(Buffer.from(wellFormed(text), 'utf8').toString('utf8')).toBe(text.toWellFormed())));
});
