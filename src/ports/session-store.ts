import type { Attachment } from '../contracts/attachment';
import type { EventBody, SessionEvent } from '../contracts/events';
import type { SessionRecord, SessionRef } from '../contracts/session';
import type { PageRequest } from './page';

export interface AppendInput {
  /** A sequence number the caller knows was the log's last at some time before this batch was first written. */
  readonly after: number;
  /** Names the logical write (`batchKeys`): a repeated append finds what the first one wrote. */
  readonly key: string;
  /** 1 to `maxBatchEvents`. */
  readonly events: readonly EventBody[];
  /** Refuses to write behind any other batch: for a decision that rests on having read the log up to `after`. */
  readonly onlyAtHead?: boolean;
  /** Refuses to write behind the batch of this key: what this one belongs to is over. */
  readonly notBehind?: string;
  /** Refuses to write behind the batch of this key, which another attempt has written since this one looked: it is to be looked for again. */
  readonly unless?: string;
  /** What of `events` is left to write behind a batch that stands after `after`: another attempt may have written some under another key. */
  readonly unwritten?: (events: readonly EventBody[], earlier: readonly SessionEvent[]) => readonly EventBody[];
}

/** What an append came to. */
export interface Appended {
  /** Empty when nothing of them was left to write. */
  readonly events: SessionEvent[];
  /** The sequence number of the last of them; of the last that stood there already when nothing was left to write. */
  readonly head: number;
  /** Whether an earlier attempt wrote them. */
  readonly repeated: boolean;
}

/**
 * The ordered log of a session, encrypted in the tenant's own table. A batch is one item whose key is its first
 * sequence number, written only if that key is free: no gaps, no reordering, and each batch once.
 * See docs/decisions/0003-session-log.md.
 */
export interface SessionLog {
  /**
   * @returns the events as they stand in the log, whether written now or by an earlier attempt.
   * @throws DomainError `log/moved` (`onlyAtHead`, `unless`: read again, decide again), `turn/ended` (`notBehind`).
   */
  append(session: SessionRef, batch: AppendInput): Promise<Appended>;
  /** What an earlier attempt wrote under `key` after `after`, if anything. */
  find(session: SessionRef, batch: { after: number; key: string }): Promise<SessionEvent[] | undefined>;
  /** Place and time of the newest event; undefined when there is none. Opens nothing. */
  last(session: SessionRef): Promise<{ seq: number; at: string } | undefined>;
  /** Its batches without what they say, oldest first: cheap, nothing is opened. */
  outline(session: SessionRef): AsyncIterable<{ readonly firstSeq: number; readonly count: number; readonly key: string }>;
  /**
   * Copies the batches of one log into another that begins with them, each in its place and with its key and time. Idempotent.
   * @param upTo - a batch ends there. @param onBatch - told of what each holds, of those that were there already, too.
   * @throws DomainError `session/exists` when the other log holds something else.
   */
  copy(from: SessionRef, to: SessionRef, range: { upTo: number; onBatch?: (events: readonly EventBody[]) => void }): Promise<void>;
  /** Events with `after < seq <= upTo`, oldest first; at most about `limit` (whole batches), all when absent. */
  read(session: SessionRef, range: { after: number; upTo?: number; limit?: number }): Promise<SessionEvent[]>;
}

/** A message as the caller sent it, stored before the workflow hears of it. */
export interface StoredMessage {
  readonly turnId: string;
  readonly userId: string;
  readonly text: string;
  /** What came with it; absent: nothing. */
  readonly attachments?: readonly Attachment[] | undefined;
}

export interface SessionMessages {
  /**
   * Keeps the message; the same message again is fine.
   * @param requestDigest - of the request that sent it, when it has a key.
   * @throws DomainError `idempotency/key-reused` when the turn id holds another message, or another request's.
   */
  put(session: SessionRef, message: StoredMessage, requestDigest?: string): Promise<void>;
  /** @throws DomainError `turn/not-found` */
  get(session: SessionRef, turnId: string): Promise<StoredMessage>;
}

/** The sessions of a tenant. */
export interface SessionDirectory {
  /**
   * Creates the record; the same user repeating it gets the first one back.
   * @param requestDigest - of the request that wants it, when it has a key.
   * @throws DomainError `session/not-found` when it is another user's, `idempotency/key-reused` when it is another request's.
   */
  create(record: SessionRecord, requestDigest?: string): Promise<SessionRecord>;
  get(session: SessionRef): Promise<SessionRecord | undefined>;
  /** Newest first. @param page - `spokenIn`: only those that users speak in, none that an agent works in for another; such a page may be short. */
  list(tenantId: string, page: PageRequest & { userId?: string; spokenIn?: true }): Promise<{ sessions: SessionRecord[]; nextCursor?: string }>;
  /** Notes the end; idempotent. @returns its record, if there is one. */
  close(session: SessionRef, closedAt: string): Promise<SessionRecord | undefined>;
  /** Takes it out of every list; a mark in place of its record keeps its id from reuse. Again is fine. */
  hide(session: Pick<SessionRecord, 'tenantId' | 'sessionId' | 'userId' | 'createdAt'>): Promise<void>;
}
