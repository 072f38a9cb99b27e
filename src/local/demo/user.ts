import { randomUUID } from 'node:crypto';
import type { ApiClient } from '../../cli/api-client';
import { patiently } from '../../cli/patience';
import { unbroken } from '../../cli/unbroken';
import type { LiveEntry, SessionEvent } from '../../contracts/events';

export interface Turn {
  readonly sessionId: string;
  readonly turnId: string;
  readonly entries: readonly LiveEntry[];
  readonly answer: string;
  readonly outcome: string;
}

/** An end user of a tenant, in front of the tenant's product. */
export class User {
  constructor(
    private readonly api: ApiClient,
    readonly tenantId: string,
    readonly userId: string,
    readonly token: string,
  ) {}

  /** Opens a session. */
  async open(): Promise<string> {
    // One key for all attempts: whichever arrives, it is one session.
    const request = { method: 'POST', token: this.token, body: {}, idempotencyKey: randomUUID() } as const;
    const { sessionId } = await patiently(() => this.api.call<{ sessionId: string }>(`/api/v1/tenants/${this.tenantId}/sessions`, request));
    return sessionId;
  }

  /** The whole log of a session, as it is kept. */
  async log(sessionId: string): Promise<SessionEvent[]> {
    const events: SessionEvent[] = [];
    for (let cursor: string | undefined = '0'; cursor !== undefined; ) {
      const path = `/api/v1/tenants/${this.tenantId}/sessions/${sessionId}/events?after=${cursor}&limit=500`;
      const page: { data: SessionEvent[]; nextCursor?: string } = await patiently(() => this.api.call(path, { token: this.token }));
      events.push(...page.data);
      cursor = page.nextCursor;
    }
    return events;
  }

  /** Adds something to what the agent works at. */
  async steer(sessionId: string, text: string): Promise<void> {
    const request = { method: 'POST', token: this.token, body: { text, onBusy: 'steer' }, idempotencyKey: randomUUID() } as const;
    await patiently(() => this.api.call(`/api/v1/tenants/${this.tenantId}/sessions/${sessionId}/messages`, request));
  }

  /**
   * Sends a message and reads the stream until the agent has answered; reconnects with its cursor when the stream breaks.
   * @param onText - hears each piece as it comes. @param attachments - ids of what comes with it.
   */
  async ask(sessionId: string, text: string, onText: (text: string) => void = () => undefined, attachments: readonly string[] = []): Promise<Turn> {
    const path = `/api/v1/tenants/${this.tenantId}/sessions/${sessionId}`;
    const request = { method: 'POST', token: this.token, body: { text, ...(attachments.length > 0 && { attachments }) }, idempotencyKey: randomUUID() } as const;
    const { turnId, after } = await patiently(() => this.api.call<{ turnId: string; after: number }>(`${path}/messages`, request));
    const entries: LiveEntry[] = [];
    for await (const { data } of unbroken((opening) => this.api.stream(`${path}/events?after=${after}`, { ...opening, token: this.token }))) {
      const entry = JSON.parse(data) as LiveEntry;
      entries.push(entry);
      if (entry.type === 'text.delta') onText(entry.text);
      if (entry.type === 'turn.completed' && entry.turnId === turnId) return { sessionId, turnId, entries, answer: answerOf(entries, turnId), outcome: entry.outcome };
    }
    throw new Error(`Nothing was heard of the end of ${turnId}.`);
  }
}

const answerOf = (entries: readonly LiveEntry[], turnId: string): string =>
  entries.findLast((entry): entry is SessionEvent & { type: 'message.completed' } => entry.type === 'message.completed' && entry.turnId === turnId)?.text ?? '';
