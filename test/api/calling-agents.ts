import { randomUUID } from 'node:crypto';
import { isDelta, type SessionEvent } from '../../src/contracts/events';
import type { SessionRecord } from '../../src/contracts/session';
import type { ServedTenant } from '../../src/contracts/tenant';
import { modelControl } from '../../src/local/model/control';
import type { Account } from './accounts';
import { isTurnEnd, readEvents, readUntil } from './events';
import type { RunningApi } from './running-api';

export const model = modelControl(process.env['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] ?? '');

export const calling = (agent: string, more: object = {}) => ({ agent, description: 'Finds things out.', ...more });
export const taskFor = () => `task ${randomUUID()}`;
export const ofType = <Type extends SessionEvent['type']>(log: readonly SessionEvent[], type: Type) => log.filter((event): event is Extract<SessionEvent, { type: Type }> => event.type === type);
const durable = (received: Awaited<ReturnType<typeof readUntil>>) => received.flatMap(({ entry }): SessionEvent[] => (isDelta(entry) ? [] : [entry]));

export type CallingAgents = ReturnType<typeof callingAgents>;

/** Agents of a tenant that call each other, made by its administrator; a user speaks with them. */
export function callingAgents(api: RunningApi, { tenantId }: ServedTenant, user: Account, administrator: Account) {
  const path = `/api/v1/tenants/${tenantId}`;
  const asAdmin = (rest: string, method: string, body: object) => api.send(path + rest, { method, token: administrator.accessToken, body });
  const say = (session: string, text: string, more: object = {}) => api.send<{ turnId: string }>(`${session}/messages`, { method: 'POST', token: user.accessToken, body: { text, ...more } });
  /** Another name each time: agents are never deleted. */
  let count = 0;
  const newName = () => `agent-${(count += 1)}`;
  const until = async (session: string, isIt: Parameters<typeof readUntil>[1]) => durable(await readUntil(readEvents(`${api.url}${session}/events`, { token: user.accessToken }), isIt));

  return {
    path,
    asAdmin,
    say,
    newName,
    logUntil: until,

    async makeAgent(settings: object = {}): Promise<string> {
      const name = newName();
      const { status, body } = await asAdmin('/agents', 'POST', { name, settings: { tools: ['calculator', 'ask_user'], ...settings } });
      expect([status, body]).toMatchObject([201, {}]);
      return name;
    },

    /** @returns its path. */
    async openSession(agent: string): Promise<string> {
      const { body } = await api.send<SessionRecord>(`${path}/sessions`, { method: 'POST', token: user.accessToken, body: { agent } });
      return `${path}/sessions/${body.sessionId}`;
    },

    /** Says something on which the model calls these, and then says "done". */
    async sayFor(session: string, calls: readonly { name: string; task: string }[]): Promise<string> {
      const text = `please ${randomUUID()}`;
      await model.script({ match: text, steps: [{ calls: calls.map(({ name, task }) => ({ name, input: { task } })) }, { say: 'done' }] });
      return (await say(session, text)).body.turnId;
    },

    /** The session of the first call of another agent, once it has begun. */
    async childOf(session: string): Promise<string> {
      const log = await until(session, (entry) => entry.type === 'tool.started');
      return `${path}/sessions/${ofType(log, 'tool.started')[0]?.childSessionId ?? ''}`;
    },

    /** @param turnId - absent: up to the end of its first turn. */
    logUntilEnd: (session: string, turnId?: string) => until(session, (entry) => isTurnEnd(entry) && (turnId === undefined || ('turnId' in entry && entry.turnId === turnId))),
    show: async (session: string, by: Account = user) => (await api.send<SessionRecord & { status: { state: string } }>(session, { token: by.accessToken })).body,
  };
}
