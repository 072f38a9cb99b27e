import { LRUCache } from 'lru-cache';
import type { AgentPin } from '../contracts/agent';
import type { Attachment } from '../contracts/attachment';
import { codeOf, DomainError } from '../contracts/errors';
import { idFor } from '../contracts/ids';
import type { OnBusy, SessionRecord, SessionRef } from '../contracts/session';
import { partsOf, pinOf } from '../domain/agents';
import { mustFit } from '../domain/attachments';
import { ownersRememberedMs } from '../domain/erasure';
import { pastOf } from '../domain/log-past';
import { keyReused } from '../domain/same-request';
import type { Agents } from '../ports/agents';
import type { Attachments } from '../ports/attachments';
import type { SessionDirectory, SessionLog, SessionMessages, StoredMessage } from '../ports/session-store';
import type { Thing } from '../ports/places';
import type { Sessions } from '../ports/sessions';
import type { ServedTenant } from '../contracts/tenant';
import { checkMessage, type PlaceDeps, takePlace } from './place-limits';
import type { Caller, RouteInput } from './route';

export interface ConversationDeps extends PlaceDeps {
  readonly sessions: SessionDirectory;
  readonly messages: SessionMessages;
  readonly log: Pick<SessionLog, 'outline' | 'read'>;
  readonly sessionWorkflows: Sessions;
  readonly agents: Pick<Agents, 'get'>;
  readonly attachments: Pick<Attachments, 'get'>;
}

export interface Said {
  readonly sessionId: string;
  readonly turnId: string;
  /** The turn's events come after it. */
  readonly after: number;
}

const pageEvents = 200;

interface NewMessage extends Pick<RouteInput<unknown, unknown, unknown>, 'idempotencyKey' | 'requestDigest'> {
  readonly text: string;
  readonly attachments?: readonly string[] | undefined;
  readonly onBusy: OnBusy;
  /** The session too, under an id the caller chose, unless it is there. `agent`: as in `open`. */
  readonly opens?: { readonly agent: string | undefined };
}

interface Submission {
  readonly message: StoredMessage;
  readonly requestDigest: string | undefined;
  readonly onBusy: OnBusy;
  readonly agent: AgentPin | undefined;
}

/** What is remembered of a session: it does not change, but for its end. Temporal refuses by itself what comes in the moments in which that is not known here. */
type Known = Pick<SessionRecord, 'userId' | 'agent' | 'parent' | 'closedAt'>;

export type Conversations = ReturnType<typeof createConversations>;

/** What messages, the agent endpoint and AgentCore's contract have in common: whose a session is, and how one speaks in it. */
export function createConversations(deps: ConversationDeps) {
  const { sessions, messages, sessionWorkflows, agents, attachments, places, tiers } = deps;
  // Who opened a session changes only when its tenant is restored: asked once in a while.
  const known = new LRUCache<string, Known>({ max: 50_000, ttl: ownersRememberedMs });
  const keyOf = ({ tenantId, sessionId }: SessionRef) => `${tenantId}/${sessionId}`;

  async function read(session: SessionRef): Promise<SessionRecord | undefined> {
    const record = await sessions.get(session);
    if (record) known.set(keyOf(session), record);
    return record;
  }

  const find = async (session: SessionRef): Promise<Known | undefined> => known.get(keyOf(session)) ?? read(session);

  /**
   * Another user's session is answered exactly like one that does not exist, and takes as long: what is remembered lets its owner pass, and
   * refuses nobody.
   */
  async function mustOwn(session: SessionRef, caller: Caller): Promise<Known> {
    const remembered = known.get(keyOf(session));
    if (remembered?.userId === caller.userId) return remembered;
    const found = await read(session);
    if (found?.userId !== caller.userId) throw notFound(found?.userId);
    return found;
  }

  /**
   * Opens a session, or finds the caller's own under this id.
   * @param reference - of the agent it is to keep to, such as `support@3`; absent: the tenant's own.
   * @param requestDigest - of a request that does nothing else. @throws DomainError `idempotency/key-reused`
   */
  async function open(session: SessionRef, caller: Caller, { agent: reference, requestDigest }: { readonly agent?: string | undefined; readonly requestDigest?: string | undefined }): Promise<SessionRecord> {
    const agent = reference === undefined ? undefined : await pinned(session.tenantId, reference);
    const record = await sessions.create({ ...session, userId: caller.userId, createdAt: new Date().toISOString(), ...(agent && { agent }) }, requestDigest);
    mustHave(record, reference);
    known.set(keyOf(session), record);
    return record;
  }

  /** Whose it is when it is there already, is asked by who speaks in it. */
  async function openUnlessThere(session: SessionRef, caller: Caller, reference: string | undefined): Promise<void> {
    const found = await find(session);
    if (!found) await open(session, caller, { agent: reference });
    else if (found.userId === caller.userId) mustHave(found, reference);
  }

  const pinned = async (tenantId: string, reference: string) => pinOf(reference, await agents.get(tenantId, partsOf(reference).name));

  /** Whoever ends the turn gives its place back; of a turn that never was, nobody else would. */
  async function submit(session: SessionRef, tenant: ServedTenant, { message, requestDigest, onBusy, agent }: Submission): Promise<{ after: number }> {
    const { turnId, userId } = message;
    const take = (thing: Thing, id: string) => takePlace({ places, tiers }, thing, { tenant, userId, id });
    try {
      await Promise.all([take('sessions', session.sessionId), take('turns', turnId)]);
      await messages.put(session, message, requestDigest);
      return await sessionWorkflows.submit(session, { turnId, userId, onBusy, agent });
    } catch (error) {
      await places.leave({ tenantId: session.tenantId, thing: 'turns', userId, id: turnId });
      throw error;
    }
  }

  return {
    mustOwn,

    /** Its owner, and those who may read any session of their tenant. */
    async mustRead(session: SessionRef, caller: Caller): Promise<void> {
      if (!caller.permissions.has('read:any-session')) await mustOwn(session, caller);
      else if (!(await find(session))) throw notFound();
    },

    async record(session: SessionRef): Promise<SessionRecord> {
      const record = await read(session);
      if (!record) throw notFound();
      return record;
    },

    open,

    /**
     * For a session that is to begin with the log of another: its id is free, or it is that very session.
     * @param isChosen - whether the caller chose the id; otherwise it is made of an Idempotency-Key.
     * @throws DomainError `session/exists`, `idempotency/key-reused`
     */
    async mustBeFree(session: SessionRef, caller: Caller, { source, isChosen }: { readonly source: NonNullable<SessionRecord['forkedFrom']>; readonly isChosen: boolean }): Promise<void> {
      const there = await sessions.get(session);
      const isThis = there?.userId === caller.userId && there.forkedFrom?.sessionId === source.sessionId && there.forkedFrom.turnId === source.turnId;
      if (!there || isThis) return;
      if (!isChosen) throw keyReused();
      throw new DomainError('session/exists', `There is a session ${session.sessionId} already: choose another id.`);
    },

    /**
     * Keeps with a session that something was asked of it. For what the caller chooses the id of: that does not show which key it was made under.
     * @throws DomainError `idempotency/key-reused`
     */
    keepRequest: (session: SessionRef, { userId }: Caller, { requestId, requestDigest }: { readonly requestId: string; readonly requestDigest: string | undefined }): Promise<void> =>
      messages.put(session, { turnId: requestId, userId, text: '' }, requestDigest),

    /**
     * The same Idempotency-Key in the same session is the same turn.
     * @param tenant - whose tier says how much may be under way.
     */
    async say(
      session: SessionRef,
      { caller, tenant }: { readonly caller: Caller; readonly tenant: ServedTenant },
      { text, attachments: attachmentIds = [], onBusy, idempotencyKey, requestDigest, opens }: NewMessage,
    ): Promise<Said> {
      checkMessage(tiers, tenant, text);
      if (opens) await openUnlessThere(session, caller, opens.agent);
      const { agent, parent, closedAt } = await mustOwn(session, caller);
      if (parent) throw new DomainError('session/of-agent', `An agent works in this session for session ${parent.sessionId}: speak there.`);
      const attached = await attachedTo(attachments, session, attachmentIds);
      const turnId = idFor('turn', idempotencyKey, session.tenantId, session.sessionId);
      const message = { turnId, userId: caller.userId, text, ...(attached.length > 0 && { attachments: attached }) };
      const { after } = closedAt === undefined ? await submit(session, tenant, { message, requestDigest, onBusy, agent }) : await takenBefore(deps, session, message, requestDigest);
      return { sessionId: session.sessionId, turnId, after };
    },
  };
}

/**
 * A session that has ended takes nothing more, and its workflow must not begin again. What it took before is answered as it was then, by its log once
 * Temporal has forgotten it. Of what is new to it neither is asked.
 * @throws DomainError `session/closed`
 */
async function takenBefore({ sessionWorkflows, log, messages }: ConversationDeps, session: SessionRef, message: StoredMessage, requestDigest: string | undefined): Promise<{ after: number }> {
  const { turnId } = message;
  await messages.get(session, turnId).catch((error: unknown) => {
    throw codeOf(error) === 'turn/not-found' ? closed() : error;
  });
  // It is there: another one under its key is refused.
  await messages.put(session, message, requestDigest);
  const after = (await sessionWorkflows.takenAt(session, turnId)) ?? (await pastOf(log.outline(session))).turns.find((turn) => turn.turnId === turnId)?.after ?? (await joinedAt(log, session, turnId));
  if (after === undefined) throw closed();
  return { after };
}

const closed = () => new DomainError('session/closed', 'The session is closed: open a new one.');

/** @returns where the log was when a message joined a turn; undefined when none did under this id. */
async function joinedAt(log: Pick<SessionLog, 'read'>, session: SessionRef, messageId: string): Promise<number | undefined> {
  for (let after = 0; ; ) {
    const events = await log.read(session, { after, limit: pageEvents });
    const joined = events.find((event) => event.type === 'turn.steered' && event.messageId === messageId);
    if (joined) return joined.seq - 1;
    const last = events.at(-1);
    if (!last) return undefined;
    after = last.seq;
  }
}

/** What a message refers to, as its event will. @throws DomainError `attachment/not-found`, `attachment/too-many` */
async function attachedTo(attachments: Pick<Attachments, 'get'>, session: SessionRef, ids: readonly string[]): Promise<Attachment[]> {
  const found = await Promise.all(
    [...new Set(ids)].map(async (id) => {
      const stored = await attachments.get(session, id);
      if (!stored) throw new DomainError('attachment/not-found', `There is no attachment ${id} in this session: upload it first.`);
      const { attachmentId, name, mediaType, bytes } = stored;
      return { attachmentId, name, mediaType, bytes };
    }),
  );
  mustFit(found);
  return found;
}

/** @param owner - another user, whose session it is. */
const notFound = (owner?: string) => new DomainError('session/not-found', 'There is no such session.', { isDenial: owner !== undefined });

/** A session keeps to its agent. @throws DomainError `session/other-agent` */
function mustHave({ agent }: Known, reference: string | undefined): void {
  if (reference === undefined || agent?.name === partsOf(reference).name) return;
  throw new DomainError('session/other-agent', `This session has ${agent ? `the agent ${agent.name}` : "the tenant's own agent"}, and keeps to it. Open another one for ${reference}.`);
}
