import { Context } from '@temporalio/activity';
import { DomainError, errors } from '../../contracts/errors';
import type { SessionRecord } from '../../contracts/session';
import type { UsageCell } from '../../contracts/usage';
import { countable, sumOf, usageIn } from '../../domain/usage';
import type { Metrics, Reading } from '../../ports/metrics';
import type { SessionDirectory, SessionLog } from '../../ports/session-store';
import type { FollowedSession, UsageStore } from '../../ports/usage';
import { sessionPages } from '../session-pages';
import { usageReadings } from './usage-readings';

export interface UsageDeps {
  readonly sessions: SessionDirectory;
  readonly log: SessionLog;
  readonly usage: UsageStore;
  readonly metrics: Metrics;
}

export interface RolledUp {
  /** Sessions looked at. */
  readonly sessions: number;
  /** Events of model calls that were added. */
  readonly modelCalls: number;
}

/** Clocks of those who open sessions differ by less. */
const clockSlackMs = 5 * 60_000;
const pageSessions = 100;
const pageEvents = 500;
/** A transaction takes 100 items: the place, and each cell for its hour and its day. */
const maxCells = 49;

/** Adds up `usage.recorded` of the sessions' logs. Each run reads what came since the last one, and only open sessions; one that cannot be read does not keep the others from being counted. */
export const createUsageActivities = (deps: UsageDeps) => ({
  async rollUpUsage({ tenantId }: { tenantId: string }): Promise<RolledUp> {
    const { cancellationSignal } = Context.current();
    const rolledUpAt = new Date().toISOString();
    await followNewSessions(deps, tenantId);
    let sessions = 0;
    const counted: UsageCell[] = [];
    const failures: unknown[] = [];
    for await (const session of deps.usage.followed(tenantId)) {
      cancellationSignal.throwIfAborted();
      await countSession(deps, session).then(
        (cells) => void counted.push(...cells),
        (error: unknown) => void failures.push(error),
      );
      sessions += 1;
    }
    await publish(deps, usageReadings(tenantId, counted), cancellationSignal);
    if (failures.length > 0) throw uncounted(failures, sessions);
    await deps.usage.noteProgress(tenantId, { rolledUpAt });
    return { sessions, modelCalls: sumOf(counted).modelCalls };
  },
});

/** Trying again can help as long as it can for one of them. */
function uncounted(failures: readonly unknown[], sessions: number): Error {
  const told = failures.find((error) => !(error instanceof DomainError) || errors[error.code].retryable) ?? failures[0];
  const message = `${failures.length} of ${sessions} sessions cannot be counted.`;
  const cause = new AggregateError(failures, message, { cause: told });
  return told instanceof DomainError ? new DomainError(told.code, `${message} ${told.message}`, { cause }) : cause;
}

/** Counts the rest of a session that has ended: what was counted is not counted again. */
export async function countClosed(deps: Pick<UsageDeps, 'log' | 'usage'>, { tenantId, sessionId, userId, forkedFrom }: SessionRecord): Promise<void> {
  const session = { tenantId, sessionId, userId };
  await leaveOutPast(deps, session, forkedFrom);
  await countSession(deps, session);
}

/** What a fork begins with was counted where it happened. */
async function leaveOutPast({ usage }: Pick<UsageDeps, 'usage'>, session: FollowedSession, forkedFrom: SessionRecord['forkedFrom']): Promise<void> {
  if (forkedFrom && (await usage.countedUpTo(session)) === 0) await usage.count(session, { after: 0, upTo: forkedFrom.upTo, hours: [], days: [] });
}

/** Newest first, back to where the last run began to look. What it finds it notes before it moves that place. */
async function followNewSessions({ sessions, usage }: UsageDeps, tenantId: string): Promise<void> {
  const { sessionsSince } = await usage.progress(tenantId);
  const since = sessionsSince === undefined ? '' : new Date(Date.parse(sessionsSince) - clockSlackMs).toISOString();
  let newest = sessionsSince;
  for await (const page of sessionPages(sessions, tenantId, { limit: pageSessions })) {
    const news = page.filter(({ createdAt }) => createdAt >= since);
    for (const { sessionId, userId, forkedFrom } of news) {
      const session = { tenantId, sessionId, userId };
      // What was counted before is followed already, or has ended.
      if ((await usage.countedUpTo(session)) > 0) continue;
      await usage.follow(session);
      await leaveOutPast({ usage }, session, forkedFrom);
    }
    const [first] = page;
    if (first && (newest === undefined || first.createdAt > newest)) newest = first.createdAt;
    if (news.length < page.length) break;
  }
  if (newest !== undefined) await usage.noteProgress(tenantId, { sessionsSince: newest });
}

/** What is counted is not counted again: CloudWatch lacks what a run counted that died before it published. */
async function publish({ metrics }: UsageDeps, readings: readonly Reading[], signal: AbortSignal): Promise<void> {
  for (let rest = readings; rest.length > 0; ) rest = rest.slice(await metrics.publish(rest, signal));
}

/** @returns what was added, by the hour. */
async function countSession({ log, usage }: Pick<UsageDeps, 'log' | 'usage'>, session: FollowedSession): Promise<UsageCell[]> {
  const counted: UsageCell[] = [];
  for (;;) {
    const after = await usage.countedUpTo(session);
    const events = countable(await log.read(session, { after, limit: pageEvents }), maxCells);
    const last = events.at(-1);
    if (!last) return counted;
    const hours = usageIn(events, session.userId, 'hour');
    const isCounted = await usage.count(session, { after, upTo: last.seq, hours, days: usageIn(events, session.userId, 'day') });
    if (isCounted) counted.push(...hours);
    if (last.type === 'session.closed') {
      await usage.unfollow(session);
      return counted;
    }
  }
}
