import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { patiently } from '../../src/cli/patience';
import type { SessionEvent } from '../../src/contracts/events';
import { inParallel } from '../../src/domain/in-parallel';
import type { SessionCase } from './case';
import type { Stage } from './stage';
import { problemsOfNumbers } from './verdict';

interface Accepted {
  readonly turnId: string;
}

/** Requests under way at once. */
const width = 64;
const repetitions = 8;
const sessionsOfDuplicates = 50;

/** Every message is sent eight times under one key: each is one turn, and every answer the same. */
export const duplicates: SessionCase = {
  id: 'duplicate requests',
  async run(stage, size) {
    const sessions = await Promise.all(Array.from({ length: Math.min(sessionsOfDuplicates, size) }, () => stage.user.open()));
    const messages = Array.from({ length: size }, (_, index) => ({ key: randomUUID(), session: sessions[index % sessions.length] ?? '', text: `What is ${index}*7?` }));
    const requests = Array.from({ length: repetitions }, () => messages).flat();
    const answers = new Map<string, Set<string>>();
    await inParallel(requests, width, async ({ key, session, text }) => {
      const { turnId } = await send(stage, session, text, key);
      answers.set(key, (answers.get(key) ?? new Set()).add(turnId));
    });
    const logs = await Promise.all(sessions.map((session) => ended(stage, session, messages.filter((message) => message.session === session).length)));
    const begun = logs.flat().filter(({ type }) => type === 'turn.started').length;
    return {
      turns: size,
      problems: [
        ...(begun === size ? [] : [`${requests.length} requests of ${size} messages began ${begun} turns`]),
        ...[...answers.values()].filter((turns) => turns.size > 1).map((turns) => `one key was answered with ${turns.size} turns`),
        ...logs.flatMap(problemsOfConversation),
      ],
    };
  },
};

/** All at once to one session: each is answered, one after the other, in the order in which they were taken. */
export const burst: SessionCase = {
  id: 'messages at once to one session',
  async run(stage, size) {
    const session = await stage.user.open();
    await Promise.all(Array.from({ length: size }, (_, index) => send(stage, session, `What is ${index}*7?`, randomUUID())));
    const log = await ended(stage, session, size);
    const started = log.flatMap((event) => (event.type === 'turn.started' ? [event.turnId] : []));
    // Of one that did not have to wait, its first step says both at once.
    const queued = log.flatMap((event, place) => (event.type === 'turn.queued' && log[place + 1]?.type !== 'turn.started' ? [event.turnId] : []));
    const waited = new Set(queued);
    return {
      turns: size,
      problems: [
        ...(new Set(started).size === size && started.length === size ? [] : [`${size} messages began ${started.length} turns`]),
        ...(isDeepStrictEqual(started.filter((turn) => waited.has(turn)), queued) ? [] : [`they were taken as ${queued.join(' ')}, and answered as ${started.join(' ')}`]),
        ...problemsOfConversation(log),
      ],
    };
  },
};

const send = ({ platform: { api }, user }: Stage, session: string, text: string, idempotencyKey: string): Promise<Accepted> =>
  patiently(() => api.call<Accepted>(`/api/v1/tenants/${user.tenantId}/sessions/${session}/messages`, { method: 'POST', token: user.token, body: { text }, idempotencyKey }), { giveUpAfterMs: 600_000 });

/** @returns the log, once so many turns have ended. */
async function ended({ platform: { api }, user }: Stage, session: string, turns: number): Promise<SessionEvent[]> {
  let count = 0;
  const path = `/api/v1/tenants/${user.tenantId}/sessions/${session}/events?after=0`;
  for await (const { data } of api.stream(path, { token: user.token })) {
    count += (JSON.parse(data) as { type: string }).type === 'turn.completed' ? 1 : 0;
    if (count === turns) break;
  }
  return user.log(session);
}

/** Turns one after the other, each ended well and with the answer to its own question. */
function problemsOfConversation(log: readonly SessionEvent[]): string[] {
  const problems = problemsOfNumbers(log);
  let open: (SessionEvent & { type: 'turn.started' }) | undefined;
  for (const event of log) {
    if (event.type === 'turn.started') {
      if (open) problems.push('two turns run at once');
      open = event;
    } else if (event.type === 'message.completed' && event.stopReason === 'end_turn') {
      const factor = Number(/is (\d+)\*7/.exec(open?.text ?? '')?.[1]);
      if (event.text !== `${factor}*7 is ${factor * 7}.`) problems.push(`"${open?.text ?? ''}" was answered "${event.text}"`);
    } else if (event.type === 'turn.completed') {
      if (event.outcome !== 'completed' || event.turnId !== open?.turnId) problems.push(`a turn came to ${event.outcome}`);
      open = undefined;
    }
  }
  return problems;
}
