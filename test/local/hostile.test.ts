import { hostileReply, Targets } from '../../src/local/model/hostile';
import type { ConverseRequest } from '../../src/local/model/protocol';

const targets = Targets.parse({ foreign: ['victim'], urls: ['http://127.0.0.1:1/'], bait: ['http://127.0.0.2:1/inject'] });
const request = (text: string): ConverseRequest => ({ messages: [{ role: 'user', content: [{ text }] }] });
const replies = (seed: string) => Array.from({ length: 300 }, (_, index) => JSON.stringify(hostileReply(request(`attack ${index}`), seed, targets)));

it('says the same to the same conversation, and something else under another seed', () => {
  expect(replies('one')).toEqual(replies('one'));
  expect(replies('one')).not.toEqual(replies('two'));
});

it('aims at what it is told to aim at', () => {
  const all = replies('one').join('\n');
  for (const target of ['"tenantId":"victim"', 'http://127.0.0.1:1/', 'http://127.0.0.2:1/inject']) expect(all).toContain(target);
});
