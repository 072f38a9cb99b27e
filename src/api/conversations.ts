import { LRUCache } from 'lru-cache';
import { DomainError } from '../contracts/errors';
import { derivedId, newId } from '../contracts/ids';
import type { OnBusy, SessionRecord, SessionRef } from '../contracts/session';
import type { SessionDirectory, SessionMessages } from '../ports/session-store';
import type { Sessions } from '../ports/sessions';
import type { Caller } from './route';

export interface ConversationDeps {
  readonly sessions: SessionDirectory;
  readonly messages: SessionMessages;
  readonly sessionWorkflows: Sessions;
}

export interface Said {
  readonly sessionId: string;
  readonly turnId: string;
  /** The turn's events come after it. */
  readonly after: number;
}

const ownerAgeMs = 60_000;

export type Conversations = ReturnType<typeof createConversations>;

/** What messages, the agent endpoint and AgentCore's contract have in common: whose a session is, and how one speaks in it. */
export function createConversations({ sessions, messages, sessionWorkflows }: ConversationDeps) {
  // Who opened a session changes only when its tenant is restored: asked once in a while.
  const owners = new LRUCache<string, string>({ max: 50_000, ttl: ownerAgeMs });
  const keyOf = ({ tenantId, sessionId }: SessionRef) => `${tenantId}/${sessionId}`;

  async function ownerOf(session: SessionRef): Promise<string | undefined> {
    const known = owners.get(keyOf(session)) ?? (await sessions.get(session))?.userId;
    if (known !== undefined) owners.set(keyOf(session), known);
    return known;
  }

  /** Another user's session is answered exactly like one that does not exist. */
  async function mustOwn(session: SessionRef, caller: Caller): Promise<void> {
    if ((await ownerOf(session)) !== caller.userId) throw notFound();
  }

  /** Opens a session, or finds the caller's own under this id. */
  async function open(session: SessionRef, caller: Caller): Promise<SessionRecord> {
    const record = await sessions.create({ ...session, userId: caller.userId, createdAt: new Date().toISOString() });
    owners.set(keyOf(session), record.userId);
    return record;
  }

  return {
    mustOwn,

    /** Its owner, and those who may read any session of their tenant. */
    async mustRead(session: SessionRef, caller: Caller): Promise<void> {
      const owner = await ownerOf(session);
      if (owner === undefined || (owner !== caller.userId && !caller.permissions.has('read:any-session'))) throw notFound();
    },

    async record(session: SessionRef): Promise<SessionRecord> {
      const record = await sessions.get(session);
      if (!record) throw notFound();
      return record;
    },

    open,

    /** Opens a session under an id the caller chose. Whose it is when it is there already, {@link say} asks. */
    async openUnlessThere(session: SessionRef, caller: Caller): Promise<void> {
      if ((await ownerOf(session)) === undefined) await open(session, caller);
    },

    /** The same Idempotency-Key in the same session is the same turn. */
    async say(
      session: SessionRef,
      caller: Caller,
      message: { text: string; onBusy: OnBusy; idempotencyKey: string | undefined },
    ): Promise<Said> {
      await mustOwn(session, caller);
      const { text, onBusy, idempotencyKey } = message;
      const turnId = idempotencyKey === undefined ? newId('turn') : derivedId('turn', session.tenantId, session.sessionId, idempotencyKey);
      await messages.put(session, { turnId, userId: caller.userId, text });
      const { after } = await sessionWorkflows.submit(session, { turnId, userId: caller.userId, onBusy });
      return { sessionId: session.sessionId, turnId, after };
    },
  };
}

const notFound = () => new DomainError('session/not-found', 'There is no such session.');
