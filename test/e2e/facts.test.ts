import { randomUUID } from 'node:crypto';
import { until } from '../../campaign/until';
import { problemsOfNumbers } from '../../campaign/sessions/verdict';
import { type RunningPlatform, runPlatform } from '../../campaign/running-platform';
import { patiently } from '../../src/cli/patience';
import type { SessionEvent } from '../../src/contracts/events';
import type { User } from '../../src/local/demo/user';
import type { MemoryFact } from '../../src/ports/memory';

jest.setTimeout(150_000);

let platform: RunningPlatform;
let ann: User;

beforeAll(async () => {
  platform = await runPlatform();
  expect((await platform.onboard('acme', { memory: { retrieve: { most: 5 }, extract: true }, tools: [] })).state).toBe('completed');
  ann = await platform.user('acme', 'ann');
});
afterAll(() => platform.stop());

const factsWith = async (word: string) => (await patiently(() => platform.api.call<{ data: MemoryFact[] }>('/api/v1/tenants/acme/memories', { token: ann.token }))).data.filter(({ text }) => text.includes(word));
const extractedIn = (log: readonly SessionEvent[], turnId: string) => log.filter((event) => event.type === 'facts.extracted' && event.turnId === turnId);

it('a worker killed while facts are looked for is followed by another: the next turn did not wait, and the fact is there once', async () => {
  const word = `w${randomUUID().slice(0, 8)}`;
  const found = `["Is fond of ${word}."]`;
  await platform.model.script({ match: word, steps: [{ say: 'I see.' }, { say: found, holdAfter: 0 }, { say: found }] });
  const sessionId = await ann.open();
  const turn = await ann.ask(sessionId, `So: ${word}.`);
  expect(turn.outcome).toBe('completed');
  await until('the extraction is held', async () => (await platform.model.holding(word)) === 1);
  expect((await ann.ask(sessionId, 'Hello again')).outcome).toBe('completed');
  platform.services.worker.kill('SIGKILL');
  await until('the fact is kept', async () => (await factsWith(word)).length > 0);
  await until('the second turn is done with', async () => (await ann.log(sessionId)).filter(({ type }) => type === 'facts.extracted').length === 2);
  expect(await factsWith(word)).toMatchObject([{ text: `Is fond of ${word}.`, source: { sessionId, turnId: turn.turnId } }]);
  const log = await ann.log(sessionId);
  expect(problemsOfNumbers(log)).toEqual([]);
  expect(extractedIn(log, turn.turnId)).toHaveLength(1);
});

it('a worker killed between the note of the facts and their keeping is followed by another, which asks no model', async () => {
  const word = `w${randomUUID().slice(0, 8)}`;
  const facts = Array.from({ length: 5 }, (_, index) => `Likes ${word} number ${index}.`);
  await platform.model.script({ match: word, steps: [{ say: 'I see.' }, { say: JSON.stringify(facts) }] });
  const sessionId = await ann.open();
  const { turnId } = await ann.ask(sessionId, `Think of ${word}.`);
  await until('the facts are noted', async () => extractedIn(await ann.log(sessionId), turnId).length > 0);
  platform.services.worker.kill('SIGKILL');
  await until('the facts are kept', async () => (await factsWith(word)).length >= facts.length);
  expect((await ann.ask(sessionId, 'And now?')).outcome).toBe('completed');
  await until('the next turn is done with', async () => (await ann.log(sessionId)).filter(({ type }) => type === 'facts.extracted').length === 2);
  expect((await factsWith(word)).map(({ text }) => text).sort()).toEqual(facts);
});
